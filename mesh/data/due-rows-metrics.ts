import type { BatchObservableResult } from "@opentelemetry/api";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type DueRowsTable, readBacklog } from "./due-rows-table.ts";

/** Shows what is under way and what waits, read when the metrics are collected. Returns what ends it. */
export function measureDueRows(
  telemetry: Telemetry,
  at: DueRowsTable,
  running: () => { readonly claimed: number; readonly bornLeased: number },
  now: () => number,
): () => void {
  const { meter } = telemetry;
  const underWay = meter.createObservableGauge("weft.due_rows.running", { description: "Due rows being worked on" });
  const due = meter.createObservableGauge("weft.due_rows.due", {
    description: "Rows that are due, those leased included",
  });
  const oldest = meter.createObservableGauge("weft.due_rows.oldest_age", {
    unit: "s",
    description: "How long the row due longest has been due",
  });
  const worker = at.name;
  const observe = async (result: BatchObservableResult) => {
    const { claimed, bornLeased } = running();
    result.observe(underWay, claimed, { worker, lease: "claimed" });
    result.observe(underWay, bornLeased, { worker, lease: "born" });
    // With the database away there is nothing to say, and its own metrics say so.
    const backlog = await readBacklog(at, new Date(now())).catch(() => undefined);
    if (backlog === undefined) return;
    result.observe(due, backlog.count, { worker });
    result.observe(oldest, backlog.oldest === undefined ? 0 : (now() - backlog.oldest.getTime()) / 1000, { worker });
  };
  const gauges = [underWay, due, oldest];
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
