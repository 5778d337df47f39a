import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import type { Queryable } from "@weft/mesh/data";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { apply, decide, type Finding, type Order, transitions } from "./domain.ts";
import type { StoredEvent } from "./event-rows.ts";
import { fold, foldVersion, streamLengthMax } from "./fold.ts";
import { readOrder } from "./read-order.ts";
import { type OrderRow, orderColumns, orderValues, toOrder } from "./rows.ts";
import { startTestOrders, type TestOrders } from "./testing/orders.ts";
import { upcast } from "./upcast.ts";

let at: TestOrders;
beforeAll(async () => {
  at = await startTestOrders();
});
afterAll(() => at?.[Symbol.asyncDispose]());

const findings: readonly Finding[] = [
  { type: "stockReserved" },
  { type: "stockRefused", reason: "apple" },
  { type: "reservationExpired" },
  { type: "authorized" },
  { type: "declined", reason: "insufficient funds" },
  { type: "authorizationUnknown", instructions: "wait", dueAt: new Date("2026-03-01T12:30:00Z") },
  { type: "paymentExpired" },
  { type: "captured" },
  { type: "captureFailed", reason: "card expired" },
  { type: "shipped", trackingNumber: "T-1" },
  { type: "delivered" },
  { type: "customerCancelled" },
  { type: "operatorCancelled" },
];

async function orderAfter(...types: Finding["type"][]): Promise<Order> {
  let order = await at.place();
  for (const type of types) {
    const finding = findings.find((one) => one.type === type) as Finding;
    order = await at.store.append(order, decide(order, finding), 1n);
  }
  return order;
}

const set = (orderId: string, what: string) =>
  at.database.execute("test.spoil", `UPDATE orders SET ${what} WHERE order_id = ?`, [orderId]);
const rowOf = async (orderId: string) => {
  const sql = "SELECT state, version, fold_version, cancel_cause FROM orders WHERE order_id = ?";
  return (await at.database.query<Record<string, unknown>>("test.row", sql, [orderId]))[0];
};

/** Reads as the store does, and tells which statements that took. */
async function readAndTell(orderId: string) {
  const names: string[] = [];
  const from: Queryable = {
    ...at.database,
    query: (name, sql, params) => {
      names.push(name);
      return at.database.query(name, sql, params);
    },
  };
  return { order: await readOrder(from, orderId), names };
}

describe("readOrder()", () => {
  test("reads one row, and no event, of an order that is as its events make it", async () => {
    const order = await orderAfter("stockReserved", "authorized");
    expect(await readAndTell(order.orderId)).toEqual({ order, names: ["order.selectOrder"] });
  });

  test("a row that older rules have made is made anew from the events, and written with the next one", async () => {
    const order = await orderAfter("stockReserved", "authorized", "captured");
    // As version 1 would have left it, with something else wrong that today's rules would not make.
    await set(order.orderId, "fold_version = 1, tracking_number = 'NONSENSE', cancel_cause = ''");
    const { order: read, names } = await readAndTell(order.orderId);
    expect(read).toEqual(order);
    expect(names).toEqual(["order.selectOrder", "order.selectEventsAfter"]);
    expect(await rowOf(order.orderId)).toMatchObject({ fold_version: 1 });
    await at.store.change(async (unit) => {
      const loaded = (await unit.load(order.orderId)) as Order;
      return await unit.append(loaded, decide(loaded, { type: "operatorCancelled" }));
    });
    expect(await rowOf(order.orderId)).toEqual({
      ...{ state: "CANCELLED", version: 5, fold_version: foldVersion, cancel_cause: "OPERATOR" },
    });
    expect((await at.store.get(order.orderId))?.trackingNumber).toBe("");
  });

  test("a cancellation of before there were causes gets one, through the upcast event", async () => {
    const order = await orderAfter("stockReserved", "declined");
    const [{ payload } = { payload: new Uint8Array() }] = await at.database.query<{ payload: Uint8Array }>(
      "test.payload",
      "SELECT payload FROM order_events WHERE order_id = ? AND version = 3",
      [order.orderId],
    );
    // The cause is the last field of the message: tag and value.
    expect(Buffer.from(payload.slice(-2)).toString("hex")).toBe("2802");
    const old = "UPDATE order_events SET payload = ?, schema_version = 1 WHERE order_id = ? AND version = 3";
    await at.database.execute("test.age", old, [payload.slice(0, -2), order.orderId]);
    await set(order.orderId, "fold_version = 1, cancel_cause = ''");
    expect(await at.store.get(order.orderId)).toEqual(order);
    expect(order.cancelCause).toBe("PAYMENT_DECLINED");
  });

  test("a row that is behind its stream is caught up, by the events that it lacks, and can be gone on from", async () => {
    const reserved = await orderAfter("stockReserved");
    const confirmed = await at.store.append(reserved, decide(reserved, { type: "authorized" }), 1n);
    const columns = orderColumns.map((name) => `${name} = ?`).join(", ");
    const sql = `UPDATE orders SET ${columns} WHERE order_id = ?`;
    await at.database.execute("test.behind", sql, [...orderValues(reserved, 7), reserved.orderId]);
    expect(await at.store.get(reserved.orderId)).toEqual(confirmed);
    await at.store.finishSaga(confirmed, 1n);
    const due = "SELECT next_attempt_at FROM sagas WHERE order_id = ?";
    expect(await at.database.query("test.due", due, [reserved.orderId])).toEqual([{ next_attempt_at: null }]);
    await at.store.append(confirmed, decide(confirmed, { type: "captured" }), 1n);
    expect(await rowOf(reserved.orderId)).toMatchObject({ state: "PAID", version: 4 });
  });

  test("a row that is ahead of its stream is DATA_LOSS: nobody knows what is missing", async () => {
    const order = await orderAfter("stockReserved");
    await set(order.orderId, "version = version + 1");
    const error = await at.store.get(order.orderId).catch((thrown) => thrown);
    expect([ConnectError.from(error).code, errorReason(error)]).toEqual([Code.DataLoss, "ORDER_STREAM_BROKEN"]);
  });

  test("however long a stream is, it is not on the path: 10,000 events that nobody could decode are not looked at", async () => {
    const order = await orderAfter("stockReserved");
    const length = 10_000;
    const fill = `INSERT INTO order_events (order_id, version, type, payload, occurred_at)
      SELECT ?, seq, 'nothing', '', UTC_TIMESTAMP(3) FROM seq_3_to_${length}`;
    await at.database.execute("test.fill", fill, [order.orderId]);
    await set(order.orderId, `version = ${length}`);
    const { order: read, names } = await readAndTell(order.orderId);
    expect(read).toEqual({ ...order, version: length });
    expect(names).toEqual(["order.selectOrder"]);
    const appended = await at.store.append(read as Order, decide(read as Order, { type: "authorized" }), 1n);
    expect(appended).toMatchObject({ state: "CONFIRMED", version: length + 1 });
    const plan = await at.database.query<{ table: string; type: string; rows: string }>(
      "test.explain",
      "EXPLAIN SELECT (SELECT MAX(e.version) FROM order_events AS e WHERE e.order_id = o.order_id) FROM orders AS o WHERE o.order_id = ?",
      [order.orderId],
    );
    expect(plan.every(({ type }) => type !== "ALL" && type !== "index")).toBe(true);
  });
});

describe("append()", () => {
  test("the row has a guard of its own beside the event's key: a version that was passed is not written over", async () => {
    const placed = await at.place();
    const reserved = await at.store.append(placed, decide(placed, { type: "stockReserved" }), 1n);
    // A stream that has lost its last event: the key would let another one in.
    await at.database.execute("test.lose", "DELETE FROM order_events WHERE order_id = ? AND version = 2", [
      placed.orderId,
    ]);
    const late = at.store.append(placed, decide(placed, { type: "stockRefused", reason: "apple" }), 1n);
    expect(errorReason(await late.catch((error) => error))).toBe("ORDER_CHANGED");
    expect(await rowOf(placed.orderId)).toMatchObject({ state: "RESERVED", version: reserved.version });
  });
});

describe("a row is the fold of its events", () => {
  const price = { currencyCode: "EUR", minorUnits: 250n };
  const lines = [{ sku: "apple", name: "Apple", quantity: 1, unitPrice: price }];
  const placed = create(OrderPlacedSchema, { orderId: "ord_1", userId: "usr_1", lines, total: price });
  const anyFindings = fc.array(fc.constantFrom(...findings), { maxLength: 20 });
  const minute = (n: number) => new Date(Date.parse("2026-03-01T12:00:00Z") + n * 60_000);

  /** What becomes of an order, by those findings that its states allow, and a row's round trip at each step. */
  function live(found: readonly Finding[]) {
    const events: StoredEvent[] = [{ event: placed, occurredAt: minute(0) }];
    let order = apply(undefined, placed, minute(0));
    for (const finding of found) {
      if (transitions[order.state][finding.type] === undefined) continue;
      const occurredAt = minute(events.length);
      const event = decide(order, finding);
      events.push({ event, occurredAt });
      order = throughRow(apply(order, event, occurredAt));
    }
    return { events, order };
  }

  /** As the driver would bring it back. */
  function throughRow(order: Order): Order {
    const values = orderValues(order, 7).map((value) => (typeof value === "bigint" ? String(value) : value));
    return toOrder(Object.fromEntries(orderColumns.map((name, index) => [name, values[index]])) as unknown as OrderRow);
  }

  test("whatever happens to it, and no stream is longer than streamLengthMax", () => {
    fc.assert(
      fc.property(anyFindings, (found) => {
        const { events, order } = live(found);
        expect(fold(events)).toEqual(order);
        expect(order.version).toBe(events.length);
        expect(events.length).toBeLessThanOrEqual(streamLengthMax);
      }),
    );
  });

  test("with a snapshot anywhere in it", () => {
    fc.assert(
      fc.property(anyFindings, fc.nat(streamLengthMax), (found, place) => {
        const { events, order } = live(found);
        const snapshot = fold(events.slice(0, place));
        expect(fold(events.slice(place), snapshot && throughRow(snapshot))).toEqual(order);
      }),
    );
  });

  test("stored by versions of before there were causes: upcast, it is the same, but for what only later versions know", () => {
    const later = new Set<Finding["type"]>(["operatorCancelled", "reservationExpired"]);
    fc.assert(
      fc.property(anyFindings, (found) => {
        const { events, order } = live(found.filter(({ type }) => !later.has(type)));
        const old = events.map(({ event, occurredAt }) => {
          const of = event.$typeName;
          const stored = of === "shop.order.v1.OrderCancelled" ? { ...event, cause: 0 as const } : event;
          return { event: upcast(stored, 1), occurredAt };
        });
        expect(fold(old)).toEqual(order);
      }),
    );
  });
});
