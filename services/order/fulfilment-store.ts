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
export function selectInState({ state, newestFirst, after, limit }: InStateQuery): { sql: string; params: SqlValue[] } {
  const [beyond, direction] = newestFirst ? ["<", "DESC"] : [">", "ASC"];
  // Not (state_since, order_id) > (?, ?), for which MariaDB reads the whole state.
  const from = after && `AND state_since ${beyond}= ? AND (state_since ${beyond} ? OR order_id ${beyond} ?)`;
  return {
    sql: `SELECT ${orderColumns.join(", ")} FROM orders WHERE state = ? ${from ?? ""}
      ORDER BY state_since ${direction}, order_id ${direction} LIMIT ?`,
    params: [state, ...(after ? [after.since, after.since, after.orderId] : []), limit],
  };
}
