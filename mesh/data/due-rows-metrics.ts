import type { BatchObservableResult } from "@opentelemetry/api";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { OverdueRow } from "./due-rows-overdue.ts";
import { type DueRowsTable, readBacklog } from "./due-rows-table.ts";

/** What the metrics are made of, beside the table. */
export interface DueRowsWatch {
  readonly counts: () => { readonly claimed: number; readonly bornLeased: number };
  readonly listOverdue: (limit: number) => Promise<readonly OverdueRow[]>;
  readonly now: () => number;
}

/** Rows that do not get on are counted up to here. */
const stuckCountMax = 1_000;

/** Shows what is under way and what waits, read when the metrics are collected. Returns what ends it. */
export function measureDueRows(
  telemetry: Telemetry,
  at: DueRowsTable,
  { counts, listOverdue, now }: DueRowsWatch,
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
  const stuck = meter.createObservableGauge("weft.due_rows.stuck", {
    description: `Rows that do not get on, up to ${stuckCountMax}`,
  });
  const worker = at.name;
  const observe = async (result: BatchObservableResult) => {
    const { claimed, bornLeased } = counts();
    result.observe(underWay, claimed, { worker, lease: "claimed" });
    result.observe(underWay, bornLeased, { worker, lease: "born" });
    // With the database away there is nothing to say, and its own metrics say so.
    const read = Promise.all([readBacklog(at, new Date(now())), listOverdue(stuckCountMax)]);
    const [backlog, overdue] = (await read.catch(() => undefined)) ?? [];
    if (backlog === undefined || overdue === undefined) return;
    result.observe(due, backlog.count, { worker });
    result.observe(stuck, overdue.length, { worker });
    result.observe(oldest, backlog.oldest === undefined ? 0 : (now() - backlog.oldest.getTime()) / 1000, { worker });
  };
  const gauges = [underWay, due, oldest, stuck];
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
