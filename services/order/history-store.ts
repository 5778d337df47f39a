import type { Queryable, SqlValue } from "@weft/mesh/data";
import type { Order } from "./domain.ts";
import type { HistoryDeps, HistoryQuery, OrderSummary } from "./history.ts";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";

/** Customers' order histories in MariaDB or MySQL. */
export function createHistoryStore(database: Queryable): HistoryDeps["history"] {
  return {
    async fromOrders(query) {
      const sql = `SELECT ${orderColumns.join(", ")} FROM orders ${pageOf(query)}`;
      const rows = await database.query<OrderRow>("order.selectOrdersOfUser", sql, pageValues(query));
      return rows.map((row) => summaryOf(toOrder(row)));
    },
  };
}

/** The end of a statement that reads a page: order ids are in the order of their placing. */
function pageOf({ before }: HistoryQuery): string {
  return `WHERE user_id = ? ${before === undefined ? "" : "AND order_id < ? "}ORDER BY order_id DESC LIMIT ?`;
}

function pageValues({ userId, before, limit }: HistoryQuery): SqlValue[] {
  return before === undefined ? [userId, limit] : [userId, before, limit];
}

function summaryOf(order: Order): OrderSummary {
  const { orderId, state, total, lines, history } = order;
  const itemCount = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return { orderId, state, total, itemCount, placedAt: history[0]?.enteredAt ?? new Date(0) };
}
