import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { insertRows, type SqlValue, type Transaction } from "@weft/mesh/data";
import type { Order, OrderState } from "./domain.ts";
import { readEvents } from "./event-rows.ts";
import { fold } from "./fold.ts";
import { summaryOf } from "./history.ts";

/** The columns of the history. */
export const historyColumns = [
  ...["user_id", "order_id", "state", "currency_code", "total_minor_units", "item_count", "placed_at", "version"],
];

/** The rest never changes; the version last, since the assignments before it compare with the old one. */
export const unlessLaterIsKnown =
  "state = IF(VALUES(version) > version, VALUES(state), state), version = GREATEST(version, VALUES(version))";

/**
 * Moves an order in the read model on, unless that has seen a later version. An order that the read model does not have, because its
 * placing has not been heard of yet or because somebody has emptied the table, is written from its events.
 */
export async function projectMove(
  tx: Transaction,
  order: { readonly userId: string; readonly orderId: string },
  state: OrderState,
  version: number,
): Promise<void> {
  const { userId, orderId } = order;
  const sql = "UPDATE order_history SET state = ?, version = ? WHERE user_id = ? AND order_id = ? AND version < ?";
  const { affectedRows } = await tx.execute("order.moveHistory", sql, [state, version, userId, orderId, version]);
  if (affectedRows > 0) return;
  const known = "SELECT 1 FROM order_history WHERE user_id = ? AND order_id = ?";
  if ((await tx.query("order.findHistory", known, [userId, orderId])).length === 0) await projectOrder(tx, orderId);
}

/** Writes an order into the read model as its events make it, unless that has seen a later version. */
export async function projectOrder(tx: Transaction, orderId: string): Promise<void> {
  const order = fold((await readEvents(tx, [orderId])).get(orderId) ?? []);
  if (order === undefined) throw rpcError(Code.DataLoss, `order ${orderId} was told of, but has no event`);
  await projectOrders(tx, [order]);
}

/** Writes orders into the read model as they are, unless that has seen a later version. */
export async function projectOrders(tx: Transaction, orders: readonly Order[]): Promise<void> {
  const ending = `ON DUPLICATE KEY UPDATE ${unlessLaterIsKnown}`;
  await insertRows(
    tx,
    "order.writeHistory",
    { table: "order_history", columns: historyColumns, ending },
    orders.map(historyValues),
  );
}

/** An order as an entry of the history, in the order of historyColumns. */
export function historyValues(order: Order): SqlValue[] {
  const { orderId, state, total, itemCount, placedAt } = summaryOf(order);
  return [
    ...[order.userId, orderId, state, total.currencyCode, total.minorUnits],
    ...[itemCount, placedAt, order.version],
  ];
}
