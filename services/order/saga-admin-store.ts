import type { Queryable } from "@weft/mesh/data";
import { type OrderRow, orderColumns, toOrder } from "./rows.ts";
import type { OrderAndSaga, SagaAdminDeps } from "./saga-admin.ts";

interface Row extends OrderRow {
  readonly due_at: Date | null;
  readonly attempts: number | string | null;
  readonly failures: number | string | null;
  readonly last_error: string | null;
  readonly lease_owner: string | null;
  readonly lease_until: Date | null;
  readonly traceparent: string | null;
}

const select = `SELECT ${orderColumns.map((name) => `o.${name}`).join(", ")}, s.next_attempt_at AS due_at, s.attempts,
    s.failures, s.last_error, s.lease_owner, s.lease_until, s.traceparent
  FROM orders AS o LEFT JOIN sagas AS s ON s.order_id = o.order_id`;

/** Orders with their sagas, as operators ask for them. */
export function createSagaRows(database: Queryable): SagaAdminDeps["sagaRows"] {
  return {
    async of(orderIds) {
      if (orderIds.length === 0) return [];
      const sql = `${select} WHERE o.order_id IN (${orderIds.map(() => "?").join(", ")})`;
      return (await database.query<Row>("order.selectSagas", sql, orderIds)).map(toOrderAndSaga);
    },

    async inStateSince(before, limit) {
      const wanted = [...before];
      const states = wanted.map(() => "(o.state = ? AND o.state_since <= ?)").join(" OR ");
      const sql = `${select} WHERE ${states} ORDER BY o.state_since LIMIT ${limit}`;
      return (await database.query<Row>("order.selectOverstayed", sql, wanted.flat())).map(toOrderAndSaga);
    },
  };
}

function toOrderAndSaga(row: Row): OrderAndSaga {
  return {
    order: toOrder(row),
    saga: {
      ...{ dueAt: row.due_at ?? undefined, attempts: Number(row.attempts), failures: Number(row.failures) },
      ...{ lastError: row.last_error ?? "", leaseOwner: row.lease_owner ?? "" },
      ...{ leaseUntil: row.lease_until ?? undefined, traceId: row.traceparent?.split("-")[1] ?? "" },
    },
  };
}
