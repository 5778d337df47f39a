import type { Queryable, SqlValue } from "@weft/mesh/data";
import type { InStateQuery, ListInStateDeps } from "./fulfilment.ts";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";

/** What waits for the warehouse, from the truth: what has just been shipped must not be shown again. */
export function createFulfilmentStore(database: Queryable): ListInStateDeps["fulfilment"] {
  return {
    async inState(query) {
      const { sql, params } = selectInState(query);
      return (await database.query<OrderRow>("order.selectInState", sql, params)).map(toOrder);
    },
  };
}

/** The statement that reads a page. */
export function selectInState({ state, after, limit }: InStateQuery): { sql: string; params: SqlValue[] } {
  // Not (state_since, order_id) > (?, ?), for which MariaDB reads the whole state.
  const from = after && "AND state_since >= ? AND (state_since > ? OR order_id > ?)";
  return {
    sql: `SELECT ${orderColumns.join(", ")} FROM orders WHERE state = ? ${from ?? ""}
      ORDER BY state_since, order_id LIMIT ?`,
    params: [state, ...(after ? [after.since, after.since, after.orderId] : []), limit],
  };
}
