import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import type { Database, Queryable, SqlValue } from "@weft/mesh/data";
import type { OrderPlaced } from "../../gen/shop/order/v1/events_pb.ts";
import { apply, type Order, type OrderEvent, type OrderState } from "./domain.ts";
import { type HistoryDeps, type HistoryQuery, type OrderSummary, summaryOf } from "./history.ts";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";

/** Orders folded in one go while the read model is rebuilt. */
const rebuildBatchSize = 200;

interface HistoryRow {
  readonly order_id: string;
  readonly state: OrderState;
  readonly currency_code: string;
  readonly total_minor_units: string;
  readonly item_count: number;
  readonly placed_at: Date;
}

/** Customers' order histories in MariaDB or MySQL. */
export function createHistoryStore(database: Queryable): HistoryDeps["history"] {
  return {
    async hasCaughtUp(userId) {
      // No order is further in the read model than in truth, so the sums are equal only if each order's versions are.
      const sql = `SELECT (SELECT COALESCE(SUM(version), 0) FROM orders WHERE user_id = ?)
        = (SELECT COALESCE(SUM(version), 0) FROM order_history WHERE user_id = ?) AS caughtUp`;
      const [row] = await database.query<{ caughtUp: number | string }>("order.selectWatermark", sql, [userId, userId]);
      return Number(row?.caughtUp) === 1;
    },

    async fromReadModel(query) {
      const sql = `SELECT order_id, state, currency_code, total_minor_units, item_count, placed_at
        FROM order_history ${pageOf(query)}`;
      return (await database.query<HistoryRow>("order.selectHistory", sql, pageValues(query))).map(toSummary);
    },

    async fromOrders(query) {
      const sql = `SELECT ${orderColumns.join(", ")} FROM orders ${pageOf(query)}`;
      const rows = await database.query<OrderRow>("order.selectOrdersOfUser", sql, pageValues(query));
      return rows.map((row) => summaryOf(toOrder(row)));
    },
  };
}

/** Writes an order as it is at its version into the read model, unless that has seen a later one. */
async function writeHistory(tx: Queryable, userId: string, order: OrderSummary, version: number): Promise<void> {
  // The version last: the assignments before it compare with the old one.
  const sql = `INSERT INTO order_history
      (user_id, order_id, state, currency_code, total_minor_units, item_count, placed_at, version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON DUPLICATE KEY UPDATE state = IF(VALUES(version) > version, VALUES(state), state),
      version = GREATEST(version, VALUES(version))`;
  const { orderId, state, total, itemCount, placedAt } = order;
  await tx.execute("order.writeHistory", sql, [
    userId,
    orderId,
    state,
    total.currencyCode,
    total.minorUnits,
    itemCount,
    placedAt,
    version,
  ]);
}

/** Begins an order in the read model, at the time that its first event was stored with: the message's own is a moment later. */
export async function placeHistory(tx: Queryable, event: OrderPlaced): Promise<void> {
  const sql = "SELECT occurred_at AS occurredAt FROM order_events WHERE order_id = ? AND version = 1";
  const [row] = await tx.query<{ occurredAt: Date }>("order.selectPlacedAt", sql, [event.orderId]);
  if (row === undefined) throw rpcError(Code.DataLoss, `order ${event.orderId} was told of, but has no event`);
  await writeHistory(tx, event.userId, summaryOf(apply(undefined, event, row.occurredAt)), 1);
}

/**
 * Moves an order in the read model on, unless that has seen a later version.
 *
 * @throws ConnectError NOT_FOUND if the order's placing has not been seen: the event is to come again
 */
export async function moveHistory(
  tx: Queryable,
  order: { readonly userId: string; readonly orderId: string },
  state: OrderState,
  version: number,
): Promise<void> {
  const { userId, orderId } = order;
  const sql = "UPDATE order_history SET state = ?, version = ? WHERE user_id = ? AND order_id = ? AND version < ?";
  const { affectedRows } = await tx.execute("order.moveHistory", sql, [state, version, userId, orderId, version]);
  if (affectedRows > 0) return;
  const known = "SELECT 1 FROM order_history WHERE user_id = ? AND order_id = ?";
  if ((await tx.query("order.findHistory", known, [userId, orderId])).length > 0) return;
  throw rpcError(Code.NotFound, `the history does not have order ${orderId} yet`);
}

/** Builds the read model if it is empty, as after a migration or when somebody has emptied it to have it built anew. */
export async function fillHistory(database: Database, events: ReadEvents): Promise<void> {
  const some = await database.query("order.anyHistory", "SELECT 1 FROM order_history LIMIT 1");
  if (some.length === 0) await rebuildHistory(database, events);
}

/** Events of one order, oldest first. */
export type ReadEvents = (orderId: string) => Promise<{ event: OrderEvent; occurredAt: Date }[]>;

/**
 * Empties the read model and builds it from the events alone. May run while orders change and are listed: whoever lists meanwhile
 * reads the truth, and an event that finds its order missing comes again.
 */
export async function rebuildHistory(database: Database, events: ReadEvents): Promise<void> {
  await database.execute("order.deleteHistory", "DELETE FROM order_history");
  for (let after = ""; ; ) {
    const sql =
      "SELECT order_id AS orderId FROM order_events WHERE version = 1 AND order_id > ? ORDER BY order_id LIMIT ?";
    const rows = await database.query<{ orderId: string }>("order.selectOrderIds", sql, [after, rebuildBatchSize]);
    for (const { orderId } of rows) {
      const order = fold(await events(orderId));
      if (order !== undefined) await writeHistory(database, order.userId, summaryOf(order), order.version);
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.orderId;
  }
}

function fold(events: Awaited<ReturnType<ReadEvents>>): Order | undefined {
  return events.reduce<Order | undefined>((order, { event, occurredAt }) => apply(order, event, occurredAt), undefined);
}

/** The end of a statement that reads a page: order ids are in the order of their placing. */
function pageOf({ before }: HistoryQuery): string {
  return `WHERE user_id = ? ${before === undefined ? "" : "AND order_id < ? "}ORDER BY order_id DESC LIMIT ?`;
}

function pageValues({ userId, before, limit }: HistoryQuery): SqlValue[] {
  return before === undefined ? [userId, limit] : [userId, before, limit];
}

function toSummary(row: HistoryRow): OrderSummary {
  return {
    orderId: row.order_id,
    state: row.state,
    total: { currencyCode: row.currency_code, minorUnits: BigInt(row.total_minor_units) },
    itemCount: Number(row.item_count),
    placedAt: row.placed_at,
  };
}
