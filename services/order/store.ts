import { Code, type ConnectError } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import {
  bucketOf,
  createIdempotencyStore,
  type Database,
  isDuplicateKey,
  type KeyUse,
  leaseLost,
  type Queryable,
  resolveCommit,
  type StoredAnswer,
  type Transaction,
} from "@weft/mesh/data";
import { apply, type Order, type OrderEvent, sagaDueAt } from "./domain.ts";
import { encodeEvent, eventColumns, eventValues, readEvents, readEventsAfter, type StoredEvent } from "./event-rows.ts";
import type { FulfilmentDeps } from "./fulfilment.ts";
import { readOrder } from "./read-order.ts";
import { orderColumns, orderValues } from "./rows.ts";
import type { SagaDeps } from "./saga.ts";
import type { KnownKey, OrderUnit, PlaceOrderDeps } from "./usecases.ts";

/** Orders and their sagas in MariaDB or MySQL. */
export type OrderStore = PlaceOrderDeps["orders"] &
  SagaDeps["orders"] &
  FulfilmentDeps["orders"] & {
    /** The same store inside somebody else's transaction. */
    unit(tx: Transaction): OrderUnit;
    /** An order's events, oldest first. */
    events(orderId: string): Promise<readonly StoredEvent[]>;
  };

export interface OrderStoreDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Tells the other services, in the transaction of the change itself. */
  readonly publish: (tx: Transaction, event: OrderEvent, version: number) => Promise<void>;
  /** Called after each commit that has changed an order. */
  readonly onChange: (orderId: string, version: number) => void;
}

export function createOrderStore(deps: OrderStoreDeps): OrderStore {
  const { database } = deps;
  const resolving = <T>(name: string, fn: (tx: Transaction) => Promise<T>) =>
    resolveCommit(() => database.transaction(name, fn));
  const keys = createIdempotencyStore(database, deps.clock.now);
  return {
    async findKey(userId, idempotencyKey) {
      const stored = await keys.find(placeOrderKey(userId, idempotencyKey));
      return stored && toKnownKey(stored);
    },
    get: (orderId) => readOrder(database, orderId),
    unit: (tx) => unitOf(deps, tx),
    change: (work, transact = resolving) => transact("order.change", (tx) => work(unitOf(deps, tx))),
    append: (order, event, leaseToken) =>
      resolveCommit(
        () => database.transaction("order.append", (tx) => append(deps, tx, order, event, leaseToken)),
        () => database.transaction("order.resolveAppend", (tx) => resolveAppend(deps, tx, order, event, leaseToken)),
      ),

    async place(event, placing) {
      const { orderId, userId } = event;
      const { idempotencyKey, requestHash, paymentMethod, lease } = placing;
      const key = placeOrderKey(userId, idempotencyKey);
      return await resolveCommit(() =>
        database.transaction("order.place", async (tx) => {
          // First, so that a second placing with this key waits here until the first has ended.
          if (!(await keys.take(tx, key, requestHash, Buffer.from(orderId)))) {
            return toKnownKey(await keys.findTaken(tx, key));
          }
          await tx.execute(
            "order.insertSaga",
            `INSERT INTO sagas
               (order_id, payment_method, next_attempt_at, lease_owner, lease_until, lease_token, attempts, traceparent)
             VALUES (?, ?, ?, ?, ?, ?, 1, ?)`,
            [orderId, paymentMethod, lease.dueAt, lease.owner, lease.until, lease.leaseToken, lease.traceparent],
          );
          await appendEvent(deps, tx, undefined, event);
          return { orderId, requestHash };
        }),
      );
    },

    async paymentMethod(orderId) {
      const sql = "SELECT payment_method AS paymentMethod FROM sagas WHERE order_id = ?";
      const [row] = await database.query<{ paymentMethod: string | null }>("order.selectPaymentMethod", sql, [orderId]);
      // Forgotten in the commit that goes on from RESERVED: somebody else was faster.
      if (!row?.paymentMethod) throw orderChanged(orderId);
      return row.paymentMethod;
    },

    async finishSaga({ orderId, version }, leaseToken) {
      const sql = `UPDATE sagas SET next_attempt_at = NULL, attempts = 0, payment_method = NULL
        WHERE order_id = ? AND lease_token = ?
          AND NOT EXISTS (SELECT 1 FROM order_events WHERE order_id = ? AND version > ?)`;
      await database.execute("order.finishSaga", sql, [orderId, leaseToken, orderId, version]);
    },

    events: async (orderId) => (await readEvents(database, [orderId])).get(orderId) ?? [],
  };
}

/** Under a key of PlaceOrder lies the order's id: its answer is that order, as it is when it is asked for again. */
function placeOrderKey(userId: string, key: string): KeyUse {
  return { caller: userId, method: "shop.order.v1.OrderService/PlaceOrder", key };
}

function toKnownKey({ answer, requestHash }: StoredAnswer): KnownKey {
  return { orderId: Buffer.from(answer).toString(), requestHash };
}

function unitOf(deps: OrderStoreDeps, tx: Transaction): OrderUnit {
  return {
    load: (orderId) => readOrder(tx, orderId, "FOR UPDATE"),
    append: (order, event) => append(deps, tx, order, event, undefined),
  };
}

/** Versions of those of the orders that exist. */
export async function readVersions(
  database: Queryable,
  orderIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (orderIds.length === 0) return new Map();
  const sql = `SELECT order_id AS orderId, version FROM orders WHERE order_id IN (${orderIds.map(() => "?").join(", ")})`;
  const rows = await database.query<{ orderId: string; version: number }>("order.selectVersions", sql, orderIds);
  return new Map(rows.map(({ orderId, version }) => [orderId, version]));
}

/**
 * One more event, the row that it makes, the saga's next time and what others hear of it: all or nothing. A run of the saga shows the
 * token of its lease; who asks for something himself has none, and is kept apart from others by the version alone.
 *
 * @throws ConnectError ABORTED: ORDER_CHANGED, or LEASE_LOST
 */
async function append(
  deps: OrderStoreDeps,
  tx: Transaction,
  order: Order,
  event: OrderEvent,
  leaseToken: bigint | undefined,
): Promise<Order> {
  const next = await appendEvent(deps, tx, order, event);
  const forgetsMethod = next.state === "RESERVED" ? "" : ", payment_method = NULL";
  const fence = leaseToken === undefined ? "" : " AND lease_token = ?";
  const { affectedRows } = await tx.execute(
    "order.updateSaga",
    `UPDATE sagas SET next_attempt_at = ?, attempts = 0${forgetsMethod} WHERE order_id = ?${fence}`,
    [sagaDueAt(next, deps.clock.now()) ?? null, order.orderId, ...(leaseToken === undefined ? [] : [leaseToken])],
  );
  if (leaseToken !== undefined && affectedRows !== 1) throw leaseLost("order.sagas", order.orderId);
  return next;
}

/** What has become of an append whose COMMIT was not answered: the order as it is, if the event is in its stream; else it is appended now. */
async function resolveAppend(
  deps: OrderStoreDeps,
  tx: Transaction,
  order: Order,
  event: OrderEvent,
  leaseToken: bigint,
): Promise<Order> {
  // Waits here for the transaction in doubt, which has the row.
  const now = await readOrder(tx, order.orderId, "FOR UPDATE");
  if (now === undefined || now.version === order.version) return await append(deps, tx, order, event, leaseToken);
  const [appended] = await readEventsAfter(tx, order.orderId, order.version);
  if (appended === undefined || !isSame(appended.event, event)) throw orderChanged(order.orderId);
  tx.afterCommit(() => deps.onChange(order.orderId, now.version));
  return now;
}

function isSame(a: OrderEvent, b: OrderEvent): boolean {
  return a.$typeName === b.$typeName && Buffer.compare(encodeEvent(a), encodeEvent(b)) === 0;
}

async function appendEvent(
  deps: OrderStoreDeps,
  tx: Transaction,
  order: Order | undefined,
  event: OrderEvent,
): Promise<Order> {
  const occurredAt = new Date(deps.clock.now());
  const next = apply(order, event, occurredAt);
  const { orderId, version } = next;
  try {
    await tx.execute(
      "order.insertEvent",
      `INSERT INTO order_events (${eventColumns.join(", ")}) VALUES (${eventColumns.map(() => "?").join(", ")})`,
      eventValues(orderId, version, { event, occurredAt }),
    );
  } catch (error) {
    if (!isDuplicateKey(error, "PRIMARY")) throw error;
    throw orderChanged(orderId, error);
  }
  await writeOrder(tx, next);
  await deps.publish(tx, event, version);
  tx.afterCommit(() => deps.onChange(orderId, version));
  return next;
}

async function writeOrder(tx: Transaction, order: Order): Promise<void> {
  const values = orderValues(order, bucketOf(order.orderId));
  const names = orderColumns.join(", ");
  if (order.version === 1) {
    const marks = orderColumns.map(() => "?").join(", ");
    await tx.execute("order.insertOrder", `INSERT INTO orders (${names}) VALUES (${marks})`, values);
    return;
  }
  const sets = orderColumns.map((name) => `${name} = ?`).join(", ");
  // A guard beside the event's key: what is further is never written over. Less than one behind is a row that lagged its stream.
  const sql = `UPDATE orders SET ${sets} WHERE order_id = ? AND version < ?`;
  const { affectedRows } = await tx.execute("order.updateOrder", sql, [...values, order.orderId, order.version]);
  if (affectedRows !== 1) throw orderChanged(order.orderId);
}

function orderChanged(orderId: string, cause?: unknown): ConnectError {
  const message = `order ${orderId} was changed by somebody else meanwhile`;
  return rpcError(Code.Aborted, message, { reason: "ORDER_CHANGED", cause });
}
