import type { Queryable, SqlValue } from "@weft/mesh/data";
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
  const read = async (name: string, rest: string, values: readonly SqlValue[]) =>
    (await database.query<Row>(name, `${select} ${rest}`, values)).map(toOrderAndSaga);
  return {
    async of(orderIds) {
      if (orderIds.length === 0) return [];
      return await read("order.selectSagas", `WHERE o.order_id IN (${orderIds.map(() => "?").join(", ")})`, orderIds);
    },

    async inStateSince(before, limit) {
      const wanted = [...before];
      const states = wanted.map(() => "(o.state = ? AND o.state_since <= ?)").join(" OR ");
      return await read(
        "order.selectOverstayed",
        `WHERE ${states} ORDER BY o.state_since LIMIT ${limit}`,
        wanted.flat(),
      );
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
