import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { type Clock, rpcError, systemClock } from "@weft/mesh/contract";
import {
  createDatabase,
  createIdempotency,
  type Database,
  idempotencyMigrations,
  migrate,
  newId,
  type RowLease,
} from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { decide, type Order, type OrderEvent } from "./domain.ts";
import { createOrderStore, type OrderStore, readVersions } from "./store.ts";

const telemetry = createTelemetry({ service: "order", write: () => {} });
const now = new Date("2026-03-01T12:00:00.123Z");
const clock: Clock = { now: () => now.getTime(), monotonic: () => 0 };
const until = new Date(now.getTime() + 5_000);
const lease: RowLease = { owner: "order-1", until, leaseToken: 1n, dueAt: now, traceparent: null };
const newOrderId = () => newId("ord", 1_023, { clock: systemClock, random: Math.random });

const resources = new AsyncDisposableStack();
let database: Database;
let store: OrderStore;
let publishFails: boolean;
const published: [type: string, version: number][] = [];
const changed: [orderId: string, version: number][] = [];

beforeAll(async () => {
  const schema = resources.use(await testDatabase("order"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const { logger } = telemetry;
  await migrate({ database, component: "weft_idempotency", directory: idempotencyMigrations, logger });
  await migrate({ database, component: "order", directory: new URL("./migrations/", import.meta.url), logger });
  store = createOrderStore({
    database,
    clock,
    async publish(_tx, event, version) {
      if (publishFails) throw new Error("the outbox is full");
      published.push([event.$typeName, version]);
    },
    onChange: (orderId, version) => changed.push([orderId, version]),
  });
});
afterAll(() => resources.disposeAsync());
beforeEach(() => {
  publishFails = false;
  published.length = 0;
  changed.length = 0;
});

function placedEvent(orderId = newOrderId()) {
  return create(OrderPlacedSchema, {
    orderId,
    userId: "usr_1",
    lines: [
      {
        sku: "é 😀",
        name: "Äpfel & “Birnen”",
        quantity: 3,
        unitPrice: { currencyCode: "EUR", minorUnits: 333_333_333_333n },
      },
    ],
    total: { currencyCode: "EUR", minorUnits: 999_999_999_999n },
  });
}

async function place(event = placedEvent(), idempotencyKey: string = event.orderId): Promise<Order> {
  await store.place(event, { idempotencyKey, requestHash: "0".repeat(64), paymentMethod: "tok_visa", lease });
  return (await store.get(event.orderId)) as Order;
}

async function sagaOf(orderId: string) {
  const sql = "SELECT payment_method, next_attempt_at, lease_owner, attempts FROM sagas WHERE order_id = ?";
  const [saga] = await database.query<Record<string, unknown>>("test.saga", sql, [orderId]);
  return saga;
}

const unknown = {
  type: "authorizationUnknown",
  instructions: "wait",
  dueAt: new Date("2026-03-01T12:30:00Z"),
} as const;

describe("place()", () => {
  test("stores order, event, key and saga, exact to the last cent and character, the saga leased", async () => {
    const event = placedEvent();
    const order = await place(event);
    expect(order).toMatchObject({ state: "PLACED", version: 1, total: { minorUnits: 999_999_999_999n } });
    expect(order.lines).toEqual([
      {
        sku: "é 😀",
        name: "Äpfel & “Birnen”",
        quantity: 3,
        unitPrice: { currencyCode: "EUR", minorUnits: 333_333_333_333n },
      },
    ]);
    expect(await store.events(order.orderId)).toEqual([{ event, occurredAt: now }]);
    expect(await sagaOf(order.orderId)).toMatchObject({ lease_owner: "order-1", next_attempt_at: now, attempts: 1 });
    expect(await store.paymentMethod(order.orderId)).toBe("tok_visa");
    expect(published).toEqual([["shop.order.v1.OrderPlaced", 1]]);
    expect(changed).toEqual([[order.orderId, 1]]);
    const sql = "SELECT bucket FROM orders WHERE order_id = ?";
    expect(await database.query("test.bucket", sql, [order.orderId])).toEqual([{ bucket: 1_023 }]);
  });

  test("with a key that stands for an order stores nothing, and says which order that is", async () => {
    const first = await place(placedEvent(), "the same key");
    const second = placedEvent();
    const placing = { idempotencyKey: "the same key", requestHash: "1".repeat(64), paymentMethod: "tok_visa", lease };
    expect(await store.place(second, placing)).toEqual({ orderId: first.orderId, requestHash: "0".repeat(64) });
    expect(await store.get(second.orderId)).toBeUndefined();
    expect(await store.events(second.orderId)).toEqual([]);
  });

  test("keys are compared exactly, not as words are", async () => {
    const upper = await place(placedEvent(), "a key LIKE this");
    const lower = await place(placedEvent(), "a key like this");
    expect((await store.findKey("usr_1", "a key LIKE this"))?.orderId).toBe(upper.orderId);
    expect((await store.findKey("usr_1", "a key like this"))?.orderId).toBe(lower.orderId);
    expect(await store.findKey("usr_2", "a key like this")).toBeUndefined();
  });

  test("has a key that is forgotten after a day; its order is not", async () => {
    const { orderId } = await place(placedEvent(), "a key of yesterday");
    const purgeAt = async (nowMs: number) => {
      await using keys = createIdempotency({ database, telemetry, clock: { now: () => nowMs, monotonic: () => 0 } });
      await keys.purge();
    };
    await purgeAt(now.getTime() + 86_400_000);
    expect((await store.findKey("usr_1", "a key of yesterday"))?.orderId).toBe(orderId);
    await purgeAt(now.getTime() + 86_400_001);
    expect(await store.findKey("usr_1", "a key of yesterday")).toBeUndefined();
    expect(await store.get(orderId)).toBeDefined();
  });

  test("whose COMMIT was done but not answered finds its order, instead of leaving its caller in doubt", async () => {
    let commits = 0;
    const lost: Database = {
      ...database,
      async transaction(name, fn) {
        const done = await database.transaction(name, fn);
        commits += 1;
        if (commits > 1) return done;
        throw rpcError(Code.Unknown, "the reply to COMMIT was lost", { reason: "COMMIT_OUTCOME_UNKNOWN" });
      },
    };
    const unsure = createOrderStore({ database: lost, clock, publish: async () => {}, onChange: () => {} });
    const event = placedEvent();
    const placing = { idempotencyKey: event.orderId, requestHash: "2".repeat(64), paymentMethod: "tok_visa", lease };
    expect(await unsure.place(event, placing)).toEqual({ orderId: event.orderId, requestHash: "2".repeat(64) });
    expect((await store.events(event.orderId)).length).toBe(1);
  });

  test("is all or nothing", async () => {
    publishFails = true;
    const event = placedEvent();
    await expect(place(event)).rejects.toThrow("the outbox is full");
    expect(await store.get(event.orderId)).toBeUndefined();
    expect(await store.findKey("usr_1", event.orderId)).toBeUndefined();
    expect(await sagaOf(event.orderId)).toBeUndefined();
    expect(changed).toEqual([]);
  });
});

describe("append()", () => {
  test("of two who append to the same version one is ABORTED, and leaves nothing", async () => {
    const order = await place();
    const both = await Promise.allSettled([
      store.append(order, decide(order, { type: "stockReserved" }), 1n),
      store.append(order, decide(order, { type: "stockRefused", reason: "none" }), 1n),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const rejected = both.find((result) => result.status === "rejected");
    expect(rejected?.reason).toMatchObject({ code: Code.Aborted });
    const row = await store.get(order.orderId);
    expect(row?.version).toBe(2);
    expect((await store.events(order.orderId)).map(({ event }) => event.$typeName)).toHaveLength(2);
  });

  test("sets the saga's next time, and forgets the payment method once payment has been asked", async () => {
    const order = await place();
    const reserved = await store.append(order, decide(order, { type: "stockReserved" }), 1n);
    expect(await sagaOf(order.orderId)).toMatchObject({
      next_attempt_at: now,
      attempts: 0,
      payment_method: "tok_visa",
    });
    const waiting = await store.append(reserved, decide(reserved, unknown), 1n);
    const soon = new Date(now.getTime() + 1_000);
    expect(await sagaOf(order.orderId)).toMatchObject({ next_attempt_at: soon, payment_method: null });
    expect(await store.get(order.orderId)).toEqual(waiting);
    await store.append(waiting, decide(waiting, { type: "paymentExpired" }), 1n);
    expect(await sagaOf(order.orderId)).toMatchObject({ next_attempt_at: now });
    const cancelled = (await store.get(order.orderId)) as Order;
    await store.finishSaga(cancelled, 1n);
    expect(await sagaOf(order.orderId)).toMatchObject({ next_attempt_at: null });
  });

  test("the saga of an order that has changed meanwhile is not finished: what the change made due stays due", async () => {
    const placed = await place();
    const reserved = await store.append(placed, decide(placed, { type: "stockReserved" }), 1n);
    const confirmed = await store.append(reserved, decide(reserved, { type: "authorized" }), 1n);
    await store.append(confirmed, decide(confirmed, { type: "captureFailed", reason: "expired" }), 1n);
    await store.finishSaga(confirmed, 1n);
    expect(await sagaOf(placed.orderId)).toMatchObject({ next_attempt_at: now });
  });

  test("a payment method that is forgotten by now says that the order has changed", async () => {
    const placed = await place();
    const reserved = await store.append(placed, decide(placed, { type: "stockReserved" }), 1n);
    expect(await store.paymentMethod(placed.orderId)).toBe("tok_visa");
    await store.append(reserved, decide(reserved, { type: "authorized" }), 1n);
    await expect(store.paymentMethod(placed.orderId)).rejects.toMatchObject({ code: Code.Aborted });
  });

  test("joins the transaction of an event, whose row lock keeps others out", async () => {
    const placed = await place();
    const reserved = await store.append(placed, decide(placed, { type: "stockReserved" }), 1n);
    await store.append(reserved, decide(reserved, { type: "authorized" }), 1n);
    const append = (finding: "captured" | "captureFailed") =>
      database.transaction("test.consume", async (tx) => {
        const unit = store.unit(tx);
        const order = (await unit.load(placed.orderId)) as Order;
        if (order.state !== "CONFIRMED") return;
        const event: OrderEvent = decide(order, { type: finding, reason: "late" });
        await unit.append(order, event);
      });
    await Promise.all([append("captured"), append("captured"), append("captureFailed")]);
    expect((await store.get(placed.orderId))?.version).toBe(4);
  });

  test("is undone with the transaction that it joined, and nobody is told", async () => {
    const order = await place();
    changed.length = 0;
    const undone = database.transaction("test.consume", async (tx) => {
      await store.unit(tx).append(order, decide(order, { type: "stockReserved" }));
      throw new Error("another handler failed");
    });
    await expect(undone).rejects.toThrow("another handler failed");
    expect(await store.get(order.orderId)).toEqual(order);
    expect(changed).toEqual([]);
  });
});

test("readVersions() answers for those orders that exist", async () => {
  const [first, second] = [await place(), await place()];
  await store.append(second, decide(second, { type: "stockReserved" }), 1n);
  const versions = await readVersions(database, [first.orderId, second.orderId, "ord_none"]);
  expect(versions).toEqual(
    new Map([
      [first.orderId, 1],
      [second.orderId, 2],
    ]),
  );
  expect(await readVersions(database, [])).toEqual(new Map());
});

test("the runner finds due sagas by index", async () => {
  const plan = await database.query<{ key: string }>(
    "test.explain",
    "EXPLAIN SELECT order_id FROM sagas WHERE next_attempt_at <= ? AND (lease_until IS NULL OR lease_until <= ?) ORDER BY next_attempt_at LIMIT 8",
    [new Date("2000-01-01"), now],
  );
  expect(plan).toMatchObject([{ key: "sagas_due" }]);
});
