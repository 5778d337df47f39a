import { isNoSuchTable, type Queryable, type SqlValue } from "@weft/mesh/data";
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

type WatermarkedRow = { readonly caughtUp: number | string } & (HistoryRow | { readonly order_id: null });

/** Customers' order histories in MariaDB or MySQL, as they are read; `projection.ts` writes them. */
export function createHistoryStore(database: Queryable): HistoryDeps["history"] {
  return {
    async fromReadModel(query) {
      const { userId } = query;
      // One statement, so that the page is of the very table that has caught up: a replay may swap in another one at any moment. No
      // order is further in the read model than in truth, so the sums are equal only if each order's versions are.
      const sql = `SELECT caughtUp, order_id, state, currency_code, total_minor_units, item_count, placed_at
        FROM (SELECT (SELECT COALESCE(SUM(version), 0) FROM orders WHERE user_id = ?)
          = (SELECT COALESCE(SUM(version), 0) FROM order_history WHERE user_id = ?) AS caughtUp) AS watermark
        LEFT JOIN (SELECT * FROM order_history ${pageOf(query)}) AS page ON TRUE ORDER BY order_id DESC`;
      try {
        const rows = await database.query<WatermarkedRow>("order.selectHistory", sql, [
          userId,
          userId,
          ...pageValues(query),
        ]);
        if (Number(rows[0]?.caughtUp) !== 1) return undefined;
        return rows.flatMap((row) => (row.order_id === null ? [] : toSummary(row)));
      } catch (error) {
        // Somebody has dropped it: the truth is still there, and a replay makes it anew.
        if (isNoSuchTable(error)) return undefined;
        throw error;
      }
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
