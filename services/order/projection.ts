import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { type Database, insertRows, type SqlValue, type Transaction } from "@weft/mesh/data";
import { apply, type Order, type OrderState } from "./domain.ts";
import { summaryOf } from "./history.ts";
import { readEvents, type StoredEvent } from "./store.ts";

/** Orders that a rebuild locks, folds and writes in one go: some milliseconds of work. */
const rebuildPageSize = 100;
/** Entries that one statement looks at in search of those that have no order. */
const strayPageSize = 1_000;

const columns = [
  ...["user_id", "order_id", "state", "currency_code", "total_minor_units", "item_count", "placed_at", "version"],
];

/** The rest never changes; the version last, since the assignments before it compare with the old one. */
const unlessLaterIsKnown =
  "state = IF(VALUES(version) > version, VALUES(state), state), version = GREATEST(version, VALUES(version))";
const whateverIsKnown = columns.map((column) => `${column} = VALUES(${column})`).join(", ");

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
  await write(tx, orders, unlessLaterIsKnown);
}

/** Builds the read model if it is empty, as after a migration. */
export async function fillHistory(database: Database): Promise<void> {
  const some = await database.query("order.anyHistory", "SELECT 1 FROM order_history LIMIT 1");
  if (some.length === 0) await rebuildHistory(database);
}

/**
 * Writes each order into the read model as its events make it, whatever the read model says, and takes out what is no order's.
 * May run while orders are placed, changed and listed, and several times at once: an order is locked while it is folded and written, so
 * what is told of it meanwhile is told after.
 */
export async function rebuildHistory(database: Database): Promise<{ orders: number; removed: number }> {
  let orders = 0;
  for (let after: string | undefined = ""; after !== undefined; ) {
    const from = after;
    const ids: string[] = await database.transaction("order.rebuildHistory", (tx) => rebuildPage(tx, from));
    orders += ids.length;
    after = ids.at(-1);
  }
  return { orders, removed: await removeStrays(database) };
}

/** Answers with the ids of the orders that it has rebuilt. */
async function rebuildPage(tx: Transaction, after: string): Promise<string[]> {
  const sql = "SELECT order_id AS orderId FROM orders WHERE order_id > ? ORDER BY order_id LIMIT ? FOR UPDATE";
  const rows = await tx.query<{ orderId: string }>("order.lockPage", sql, [after, rebuildPageSize]);
  const ids = rows.map(({ orderId }) => orderId);
  const folded = [...(await readEvents(tx, ids)).values()].flatMap((events) => fold(events) ?? []);
  await write(tx, folded, whateverIsKnown);
  return ids;
}

async function removeStrays(database: Database): Promise<number> {
  interface Row {
    readonly userId: string;
    readonly orderId: string;
    readonly known: string | null;
  }
  // An order is there before the read model hears of it, so an entry without one is nobody's.
  const sql = `SELECT h.user_id AS userId, h.order_id AS orderId, o.order_id AS known FROM order_history AS h
    LEFT JOIN orders AS o ON o.order_id = h.order_id AND o.user_id = h.user_id
    WHERE h.user_id >= ? AND (h.user_id > ? OR h.order_id > ?) ORDER BY h.user_id, h.order_id LIMIT ?`;
  let removed = 0;
  let last: Row | undefined = { userId: "", orderId: "", known: null };
  while (last !== undefined) {
    const { userId, orderId } = last;
    const rows: Row[] = await database.query("order.selectStrays", sql, [userId, userId, orderId, strayPageSize]);
    for (const row of rows) {
      if (row.known !== null) continue;
      const remove = "DELETE FROM order_history WHERE user_id = ? AND order_id = ?";
      removed += (await database.execute("order.deleteStray", remove, [row.userId, row.orderId])).affectedRows;
    }
    last = rows.at(-1);
  }
  return removed;
}

async function write(tx: Transaction, orders: readonly Order[], onKnown: string): Promise<void> {
  const target = { table: "order_history", columns: columns, ending: `ON DUPLICATE KEY UPDATE ${onKnown}` };
  await insertRows(tx, "order.writeHistory", target, orders.map(rowOf));
}

function rowOf(order: Order): SqlValue[] {
  const { orderId, state, total, itemCount, placedAt } = summaryOf(order);
  return [
    ...[order.userId, orderId, state, total.currencyCode, total.minorUnits],
    ...[itemCount, placedAt, order.version],
  ];
}

function fold(events: readonly StoredEvent[]): Order | undefined {
  return events.reduce<Order | undefined>((order, { event, occurredAt }) => apply(order, event, occurredAt), undefined);
}
