import { systemClock } from "@weft/mesh/contract";
import { createDatabase, createDueRowsWorker, type Database, type DueRowsWorker } from "@weft/mesh/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runSaga, type SagaDeps } from "./saga.ts";
import { startTestOrders, type TestOrders } from "./testing/orders.ts";

type Reserve = SagaDeps["inventory"]["reserve"];

let at: TestOrders;
beforeAll(async () => {
  at = await startTestOrders();
});
afterAll(() => at?.[Symbol.asyncDispose]());

const stays = { placedTtlMs: 600_000, reservedTtlMs: 600_000, awaitingPaymentTtlMs: 600_000 };

/** An instance that drives sagas; leases are short, so that tests see them run out. */
function instance(database: Database, reserve: Reserve, pollIntervalMs: number, asked: string[] = []): DueRowsWorker {
  const orders = at.storeOn(database);
  const payment: SagaDeps["payment"] = {
    authorize: async () => ({ type: "authorized" }),
    ask: async () => ({ type: "unknown" }),
  };
  const release = async (orderId: string) => void asked.push(`release ${orderId}`);
  const deps = { orders, inventory: { reserve, release }, payment, clock: systemClock, random: Math.random, stays };
  return createDueRowsWorker({
    ...{ name: "order.sagas", database, telemetry: at.telemetry, table: "sagas", keyColumn: "order_id" },
    ...{ leaseMs: 300, pollIntervalMs, drainTimeoutMs: 100 },
    run: ({ key, attempts, leaseToken }) => runSaga(deps, { orderId: key, attempts, leaseToken }),
  });
}

const sagaOf = async (orderId: string) => {
  const sql = "SELECT lease_token, lease_owner, last_error, next_attempt_at FROM sagas WHERE order_id = ?";
  return (await at.database.query<Record<string, unknown>>("test.saga", sql, [orderId]))[0];
};

test("a process frozen past its lease changes nothing any more, however sure it is of what it has found", async () => {
  const thawed = Promise.withResolvers<void>();
  const mayReserve = Promise.withResolvers<void>();
  const renewals = Promise.withResolvers<void>();
  // Its renewals, which would tell it that its lease is gone, come after all else.
  await using cold = createDatabase({
    ...{ url: at.url, telemetry: at.telemetry },
    onStatement: (_when, name) => (name === "order.sagas.renewLeases" ? renewals.promise : undefined),
  });
  const asked: string[] = [];
  await using frozen = instance(
    cold,
    async () => {
      await thawed.promise;
      return { type: "refused", reason: "apple" };
    },
    60_000,
    asked,
  );
  const lease = frozen.lease();
  const order = await at.place(lease);
  const driving = frozen.runLeased(order.orderId, lease);

  const begun = Promise.withResolvers<void>();
  await using _successor = instance(
    at.database,
    async () => {
      begun.resolve();
      await mayReserve.promise;
      return { type: "reserved" };
    },
    50,
  );
  await begun.promise;
  thawed.resolve();
  await driving;
  renewals.resolve();
  // The order is the successor's: not cancelled, nobody told, the lease untouched.
  expect(await at.store.get(order.orderId)).toMatchObject({ state: "PLACED", version: 1 });
  expect(at.told.get(order.orderId)).toEqual(["1 OrderPlaced"]);
  expect(await sagaOf(order.orderId)).toMatchObject({ lease_token: "2", last_error: null });
  expect((await sagaOf(order.orderId))?.lease_owner).not.toBeNull();
  expect(asked).toEqual([]);

  mayReserve.resolve();
  await expect.poll(async () => (await at.store.get(order.orderId))?.state).toBe("CONFIRMED");
  await expect.poll(async () => (await sagaOf(order.orderId))?.lease_owner).toBeNull();
  expect(at.told.get(order.orderId)).toEqual(["1 OrderPlaced", "2 OrderReserved", "3 OrderConfirmed"]);
});

test("a lease that is lost is no conflict to be tried again, but the end of the run", async () => {
  const order = await at.place();
  await at.database.execute("test.claim", "UPDATE sagas SET lease_token = 2 WHERE order_id = ?", [order.orderId]);
  let reserved = 0;
  const deps: SagaDeps = {
    orders: at.store,
    inventory: {
      reserve: async () => {
        reserved += 1;
        return { type: "reserved" };
      },
      release: async () => {},
    },
    payment: { authorize: async () => ({ type: "authorized" }), ask: async () => ({ type: "unknown" }) },
    ...{ clock: systemClock, random: Math.random, stays },
  };
  const run = runSaga(deps, { orderId: order.orderId, attempts: 1, leaseToken: 1n });
  await expect(run).rejects.toThrow("another instance's now");
  expect(reserved).toBe(1);
});

test("the saga of a finished order stays due if the one who finds it done has lost the lease", async () => {
  const placed = await at.place();
  const cancelled = await at.store.change(async (unit) => {
    const order = await unit.load(placed.orderId);
    return order ?? placed;
  });
  await at.database.execute("test.claim", "UPDATE sagas SET lease_token = 2 WHERE order_id = ?", [placed.orderId]);
  await at.store.finishSaga(cancelled, 1n);
  expect((await sagaOf(placed.orderId))?.next_attempt_at).not.toBeNull();
  await at.store.finishSaga(cancelled, 2n);
  expect((await sagaOf(placed.orderId))?.next_attempt_at).toBeNull();
});
