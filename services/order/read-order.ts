import type { Queryable } from "@weft/mesh/data";
import type { Order } from "./domain.ts";
import { readEventsAfter } from "./event-rows.ts";
import { brokenStream, foldTo, foldVersion } from "./fold.ts";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";

interface SnapshotRow extends OrderRow {
  /** Of the order's last event. */
  readonly stream_version: number | null;
}

/**
 * An order as its events make it. The row is that already, so events are read only for one that other rules have folded (all of
 * them), or that is behind its stream (those that it lacks). Nothing is written: the next append writes the row.
 *
 * @throws ConnectError DATA_LOSS if the events do not lead where the row or the stream says
 */
export async function readOrder(
  from: Queryable,
  orderId: string,
  lock: "" | "FOR UPDATE" = "",
): Promise<Order | undefined> {
  // The events' key ends with the version, so the last one is a look at one place of an index.
  const sql = `SELECT ${orderColumns.join(", ")},
      (SELECT MAX(e.version) FROM order_events AS e WHERE e.order_id = o.order_id) AS stream_version
    FROM orders AS o WHERE o.order_id = ? ${lock}`;
  const [row] = await from.query<SnapshotRow>("order.selectOrder", sql, [orderId]);
  if (row === undefined) return undefined;
  const version = Number(row.stream_version ?? 0);
  // No rules make a row of events that are not there: what is missing must be looked for, not folded away.
  if (Number(row.version) > version) throw brokenStream(orderId, Number(row.version), version);
  const isOfTheseRules = Number(row.fold_version) === foldVersion;
  if (isOfTheseRules && Number(row.version) === version) return toOrder(row);
  const known = isOfTheseRules ? toOrder(row) : undefined;
  return foldTo(orderId, version, await readEventsAfter(from, orderId, known?.version ?? 0), known);
}
