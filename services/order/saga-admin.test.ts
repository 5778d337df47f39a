import { Code, ConnectError } from "@connectrpc/connect";
import { type Clock, errorReason } from "@weft/mesh/contract";
import { createDueRowsWorker, type DueRowsWorker } from "@weft/mesh/data";
import type { SagaAdmin } from "@weft/mesh/server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decide, type Finding, type Order } from "./domain.ts";
import { createSagaAdmin } from "./saga-admin.ts";
import { createSagaRows } from "./saga-admin-store.ts";
import { startTestOrders, type TestOrders } from "./testing/orders.ts";

const minute = 60_000;
const stays = { placedTtlMs: 10 * minute, reservedTtlMs: 2 * minute, awaitingPaymentTtlMs: 30 * minute };
let nowMs = Date.parse("2026-03-01T12:00:00Z");
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs };

const resources = new AsyncDisposableStack();
let at: TestOrders;
let admin: SagaAdmin;
let worker: DueRowsWorker;
const ran: string[] = [];

beforeAll(async () => {
  at = resources.use(await startTestOrders(clock));
  const { database, telemetry, store: orders } = at;
  worker = resources.use(
    createDueRowsWorker({
      ...{ name: "order.sagas", database, telemetry, table: "sagas", keyColumn: "order_id", clock },
      ...{ pollIntervalMs: 3_600_000, backoffMs: { first: 10 * minute, max: 10 * minute } },
      async run({ key }) {
        ran.push(key);
        throw new Error("inventory is away");
      },
    }),
  );
  const sagaRows = createSagaRows(database);
  admin = createSagaAdmin({ orders, sagaRows, sagas: worker, clock, stays, stuckAfterMs: 5 * minute });
});
afterAll(() => resources.disposeAsync());
beforeEach(async () => {
  ran.length = 0;
  await at.database.execute("test.finishAll", "UPDATE sagas SET next_attempt_at = NULL");
  await at.database.execute("test.deliverAll", "UPDATE orders SET state = 'DELIVERED'");
});

/** An order to which these have happened, of which nobody has the lease. */
async function orderAfter(...found: Finding[]): Promise<Order> {
  let order = await at.place();
  for (const finding of found) order = await at.store.append(order, decide(order, finding), 1n);
  const free = "UPDATE sagas SET lease_owner = NULL, lease_until = NULL WHERE order_id = ?";
  await at.database.execute("test.free", free, [order.orderId]);
  return order;
}
const set = (orderId: string, what: string) =>
  at.database.execute("test.set", `UPDATE sagas SET ${what} WHERE order_id = ?`, [orderId]);
const notDue = (orderId: string) => set(orderId, "next_attempt_at = NULL");
const stuck = async () => (await admin.list({ all: false, after: undefined, limit: 50 })).sagas;

const reserved = { type: "stockReserved" } as const;
const unknown = { type: "authorizationUnknown", instructions: "wait", dueAt: new Date() } as const;

describe("list()", () => {
  test.each<[string, Finding[], number, string]>([
    ["PLACED", [], 15 * minute, "PLACED for longer than 900 s"],
    ["RESERVED", [reserved], 7 * minute, "RESERVED for longer than 420 s"],
    ["AWAITING_PAYMENT", [reserved, unknown], 35 * minute, "AWAITING_PAYMENT for longer than 2100 s"],
    ["CONFIRMED", [reserved, { type: "authorized" }], 5 * minute, "CONFIRMED for longer than 300 s"],
  ])(
    "an order is listed that is %s for longer than it may, whatever its saga's row says",
    async (state, found, ms, why) => {
      const { orderId } = await orderAfter(...found);
      await notDue(orderId);
      nowMs += ms - 1;
      expect(await stuck()).toEqual([]);
      nowMs += 1;
      expect(await stuck()).toMatchObject([{ sagaId: orderId, kind: "checkout", state, stuckBecause: why }]);
    },
  );

  test("orders that are PAID, SHIPPED or DELIVERED are not stuck, nor one that is cancelled and has given all back", async () => {
    const paid = [reserved, { type: "authorized" }, { type: "captured" }] as const;
    await orderAfter(...paid);
    await orderAfter(...paid, { type: "shipped", trackingNumber: "T-1" });
    await orderAfter({ type: "customerCancelled" });
    nowMs += 600 * minute;
    expect(await stuck()).toEqual([]);
  });

  test("a compensation that fails again and again is listed with its error, and shown", async () => {
    const { orderId } = await orderAfter(reserved, { type: "declined", reason: "no" });
    await set(orderId, "failures = 10, attempts = 11, last_error = 'inventory is away'");
    const expected = {
      ...{ sagaId: orderId, state: "CANCELLED", nextStep: "release", attempts: 11, failures: 10 },
      ...{ stuckBecause: "its last 10 runs failed", lastError: "inventory is away" },
    };
    expect(await stuck()).toMatchObject([expected]);
    expect(await admin.get(orderId)).toMatchObject({
      saga: expected,
      steps: [
        { name: "PLACED", detail: "" },
        { name: "RESERVED", detail: "" },
        { name: "CANCELLED", detail: "payment declined: no" },
      ],
    });
  });

  test("a saga is listed that nobody takes, though it is due", async () => {
    const { orderId } = await orderAfter(reserved);
    nowMs += minute;
    expect(await stuck()).toMatchObject([
      { sagaId: orderId, stuckBecause: "due for 60 s, and no run has ended since" },
    ]);
  });

  test("all that are unfinished are listed if asked for, those longest without progress first, each once", async () => {
    const first = await orderAfter(reserved);
    nowMs += 1_000;
    const second = await orderAfter();
    nowMs += 1_000;
    const third = await orderAfter(reserved, { type: "authorized" });
    const page = await admin.list({ all: true, after: undefined, limit: 2 });
    expect(page.sagas.map(({ sagaId }) => sagaId)).toEqual([first.orderId, second.orderId]);
    const rest = await admin.list({ all: true, after: page.next, limit: 2 });
    expect(rest).toMatchObject({ sagas: [{ sagaId: third.orderId, nextStep: "capture" }], next: undefined });
    expect(await stuck()).toEqual([]);
  });
});

describe("retry()", () => {
  test("ends the wait for the next attempt, and what that failed with is known", async () => {
    const { orderId } = await orderAfter();
    const later = new Date(nowMs + 10 * minute);
    await at.database.execute("test.wait", "UPDATE sagas SET next_attempt_at = ? WHERE order_id = ?", [later, orderId]);
    await admin.retry(orderId);
    await expect.poll(() => ran).toEqual([orderId]);
    await expect.poll(async () => (await admin.get(orderId))?.saga.lastError).toBe("inventory is away");
    expect((await admin.get(orderId))?.saga).toMatchObject({ failures: 1, leaseOwner: "" });
  });

  test("of what waits for somebody else is SAGA_FINISHED, saying for whom; of nothing it is nothing", async () => {
    const { orderId } = await orderAfter(reserved, { type: "authorized" });
    const error = ConnectError.from(await admin.retry(orderId).catch((thrown) => thrown));
    expect([error.code, errorReason(error)]).toEqual([Code.FailedPrecondition, "SAGA_FINISHED"]);
    expect(error.rawMessage).toContain("payment has to tell of the capture");
    expect(await admin.retry("ord_none")).toBeUndefined();
  });
});

describe("compensate()", () => {
  test.each<[string, Finding[]]>([
    ["PLACED", []],
    ["RESERVED", [reserved]],
    ["AWAITING_PAYMENT", [reserved, unknown]],
    ["CONFIRMED", [reserved, { type: "authorized" }]],
    ["PAID", [reserved, { type: "authorized" }, { type: "captured" }]],
  ])("cancels an order that is %s, as its customer could, and twice is once", async (_state, found) => {
    const { orderId, version } = await orderAfter(...found);
    expect(await admin.compensate(orderId, "not made any more")).toMatchObject({ state: "CANCELLED" });
    expect(await admin.compensate(orderId, "again")).toMatchObject({ state: "CANCELLED" });
    const order = await at.store.get(orderId);
    expect(order).toMatchObject({
      cancelCause: "OPERATOR",
      version: version + 1,
      cancelReason: "cancelled by the shop",
    });
  });

  test("of an order that has left is NOT_COMPENSABLE; of one that there is not, NOT_FOUND", async () => {
    const paid = [reserved, { type: "authorized" }, { type: "captured" }] as const;
    const { orderId } = await orderAfter(...paid, { type: "shipped", trackingNumber: "T-1" });
    expect(errorReason(await admin.compensate(orderId, "late").catch((error) => error))).toBe("NOT_COMPENSABLE");
    expect(ConnectError.from(await admin.compensate("ord_none", "x").catch((error) => error)).code).toBe(Code.NotFound);
  });
});
