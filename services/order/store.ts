import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import {
  bucketOf,
  createIdempotencyStore,
  type Database,
  isCommitUnknown,
  isDuplicateKey,
  type KeyUse,
  type Queryable,
  type StoredAnswer,
  type Transaction,
} from "@weft/mesh/data";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPaidSchema,
  OrderPlacedSchema,
  OrderReservedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { apply, type Order, type OrderEvent, sagaDueAt } from "./domain.ts";
import type { FulfilmentDeps } from "./fulfilment.ts";
import { type OrderRow, orderColumns, orderValues, toOrder } from "./rows.ts";
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

const schemas = new Map<string, DescMessage>(
  [
    OrderPlacedSchema,
    OrderReservedSchema,
    OrderAwaitingPaymentSchema,
    OrderConfirmedSchema,
    OrderPaidSchema,
    OrderShippedSchema,
    OrderDeliveredSchema,
    OrderCancelledSchema,
  ].map((schema) => [schema.typeName, schema]),
);

export function createOrderStore(deps: OrderStoreDeps): OrderStore {
  const { database } = deps;
  const keys = createIdempotencyStore(database, deps.clock.now);
  return {
    findKey: async (userId, idempotencyKey) => toKnownKey(await keys.find(placeOrderKey(userId, idempotencyKey))),
    get: (orderId) => readOrder(database, orderId, ""),
    unit: (tx) => unitOf(deps, tx),
    change: (work, transact = database.transaction) => transact("order.change", (tx) => work(unitOf(deps, tx))),
    append: (order, event) => database.transaction("order.append", (tx) => append(deps, tx, order, event)),

    async place(event, placing) {
      const { orderId, userId } = event;
      const { idempotencyKey, requestHash, paymentMethod, lease } = placing;
      const key = placeOrderKey(userId, idempotencyKey);
      let unknown: unknown;
      const placed = await database
        .transaction("order.place", async (tx) => {
          // First, so that a second placing with this key waits here until the first has ended.
          if (!(await keys.take(tx, key, requestHash, Buffer.from(orderId)))) return false;
          await tx.execute(
            "order.insertSaga",
            `INSERT INTO sagas (order_id, payment_method, next_attempt_at, lease_owner, lease_until, attempts, traceparent)
             VALUES (?, ?, ?, ?, ?, 1, ?)`,
            [orderId, paymentMethod, lease.dueAt, lease.owner, lease.until, lease.traceparent],
          );
          await appendEvent(deps, tx, undefined, event);
          return true;
        })
        .catch((error: unknown) => {
          if (!isCommitUnknown(error)) throw error;
          unknown = error;
          return false;
        });
      if (placed) return { orderId, requestHash };
      const known = toKnownKey(await keys.findDecided(key));
      if (known === undefined) throw unknown;
      return known;
    },

    async paymentMethod(orderId) {
      const sql = "SELECT payment_method AS paymentMethod FROM sagas WHERE order_id = ?";
      const [row] = await database.query<{ paymentMethod: string | null }>("order.selectPaymentMethod", sql, [orderId]);
      // Forgotten in the commit that goes on from RESERVED: somebody else was faster.
      if (!row?.paymentMethod) throw orderChanged(orderId);
      return row.paymentMethod;
    },

    async finishSaga({ orderId, version }) {
      const sql = `UPDATE sagas SET next_attempt_at = NULL, attempts = 0, payment_method = NULL
        WHERE order_id = ? AND EXISTS (SELECT 1 FROM orders WHERE order_id = ? AND version = ?)`;
      await database.execute("order.finishSaga", sql, [orderId, orderId, version]);
    },

    events: async (orderId) => (await readEvents(database, [orderId])).get(orderId) ?? [],
  };
}

/** Under a key of PlaceOrder lies the order's id: its answer is that order, as it is when it is asked for again. */
function placeOrderKey(userId: string, key: string): KeyUse {
  return { caller: userId, method: "shop.order.v1.OrderService/PlaceOrder", key };
}

function toKnownKey(stored: StoredAnswer | undefined): KnownKey | undefined {
  return stored && { orderId: Buffer.from(stored.answer).toString(), requestHash: stored.requestHash };
}

/** What happened to an order, as it is stored. */
export interface StoredEvent {
  readonly event: OrderEvent;
  readonly occurredAt: Date;
}

/** A row of `order_events` as the driver reads it. */
export interface EventRow {
  readonly order_id: string;
  readonly type: string;
  readonly payload: Uint8Array;
  readonly occurred_at: Date;
}

/** Events of those of the orders that exist, each order's oldest first. */
export async function readEvents(
  from: Queryable,
  orderIds: readonly string[],
): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
  const found = new Map<string, StoredEvent[]>();
  if (orderIds.length === 0) return found;
  const sql = `SELECT order_id, type, payload, occurred_at FROM order_events
    WHERE order_id IN (${orderIds.map(() => "?").join(", ")}) ORDER BY order_id, version`;
  for (const row of await from.query<EventRow>("order.selectEvents", sql, orderIds)) {
    const events = found.get(row.order_id) ?? [];
    found.set(row.order_id, events);
    events.push(toStoredEvent(row));
  }
  return found;
}

function unitOf(deps: OrderStoreDeps, tx: Transaction): OrderUnit {
  return {
    load: (orderId) => readOrder(tx, orderId, "FOR UPDATE"),
    append: (order, event) => append(deps, tx, order, event),
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

async function readOrder(from: Queryable, orderId: string, lock: "" | "FOR UPDATE"): Promise<Order | undefined> {
  const sql = `SELECT ${orderColumns.join(", ")} FROM orders WHERE order_id = ? ${lock}`;
  const [row] = await from.query<OrderRow>("order.selectOrder", sql, [orderId]);
  return row && toOrder(row);
}

/** One more event, the row that it makes, the saga's next time and what others hear of it: all or nothing. */
async function append(deps: OrderStoreDeps, tx: Transaction, order: Order, event: OrderEvent): Promise<Order> {
  const next = await appendEvent(deps, tx, order, event);
  const keepsMethod = next.state === "RESERVED";
  await tx.execute(
    "order.updateSaga",
    `UPDATE sagas SET next_attempt_at = ?, attempts = 0${keepsMethod ? "" : ", payment_method = NULL"} WHERE order_id = ?`,
    [sagaDueAt(next, deps.clock.now()) ?? null, order.orderId],
  );
  return next;
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
      "INSERT INTO order_events (order_id, version, type, payload, occurred_at) VALUES (?, ?, ?, ?, ?)",
      [orderId, version, event.$typeName, encodeEvent(event), occurredAt],
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
  const sql = `UPDATE orders SET ${sets} WHERE order_id = ?`;
  await tx.execute("order.updateOrder", sql, [...values, order.orderId]);
}

/** An event as `order_events` keeps it. */
export function encodeEvent(event: OrderEvent): Uint8Array {
  return toBinary(schemaOf(event.$typeName), event);
}

/** An event as its row keeps it. @throws ConnectError DATA_LOSS if it is of a type that nobody knows */
export function toStoredEvent(row: EventRow): StoredEvent {
  const event = fromBinary(schemaOf(row.type), row.payload) as MessageShape<DescMessage> as OrderEvent;
  return { event, occurredAt: row.occurred_at };
}

function schemaOf(type: string): DescMessage {
  const schema = schemas.get(type);
  if (schema === undefined) throw rpcError(Code.DataLoss, `an order has an event of an unknown type: ${type}`);
  return schema;
}

function orderChanged(orderId: string, cause?: unknown): ConnectError {
  const message = `order ${orderId} was changed by somebody else meanwhile`;
  return rpcError(Code.Aborted, message, { reason: "ORDER_CHANGED", cause });
}
