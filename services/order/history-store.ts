import type { Queryable, SqlValue } from "@weft/mesh/data";
import type { OrderState } from "./domain.ts";
import { type HistoryDeps, type HistoryQuery, type OrderSummary, summaryOf } from "./history.ts";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";

interface HistoryRow {
  readonly order_id: string;
  readonly state: OrderState;
  readonly currency_code: string;
  readonly total_minor_units: string;
  readonly item_count: number;
  readonly placed_at: Date;
}

/** Customers' order histories in MariaDB or MySQL, as they are read; `projection.ts` writes them. */
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
