import { Code } from "@connectrpc/connect";
import { errorReason, rpcError } from "@weft/mesh/contract";
import { createDatabase, type Database } from "@weft/mesh/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { startLink } from "../../tools/faults/proxy.ts";
import { decide, type Order } from "./domain.ts";
import { cancelOrder, deliverOrder, type FulfilmentDeps, shipOrder } from "./fulfilment.ts";
import type { OrderStore } from "./store.ts";
import { startTestOrders, type TestOrders } from "./testing/orders.ts";

let at: TestOrders;
beforeAll(async () => {
  at = await startTestOrders();
});
afterAll(() => at?.[Symbol.asyncDispose]());

interface Doubt {
  readonly database: Database;
  readonly store: OrderStore;
  /** COMMITs whose reply was lost. */
  lost(): number;
}

/** A store whose next COMMIT happens, and whose reply a proxy then loses together with the connection. */
async function replyLost(use: (doubt: Doubt) => Promise<void>): Promise<void> {
  const target = new URL(at.url);
  await using link = await startLink({
    name: "order>mariadb",
    port: await freePort(),
    targetPort: Number(target.port),
  });
  target.port = String(link.port);
  await using database = createDatabase({ url: target.href, telemetry: at.telemetry });
  // A packet's head has four bytes, its command one.
  await link.set({ kind: "replyLost", times: 1, fits: (request) => request.subarray(5).toString() === "COMMIT" });
  await use({ database, store: at.storeOn(database), lost: () => link.counts().hits });
}

/** A store whose next COMMIT never reaches the server. */
async function requestLost(use: (doubt: Doubt) => Promise<void>): Promise<void> {
  let lost = 0;
  await using database = createDatabase({
    ...{ url: at.url, telemetry: at.telemetry },
    onStatement(when, name) {
      if (when === "after" || lost > 0 || !name.endsWith(".commit")) return;
      lost += 1;
      throw rpcError(Code.Unavailable, "the connection is gone");
    },
  });
  await use({ database, store: at.storeOn(database), lost: () => lost });
}

const ways: [string, typeof replyLost][] = [
  ["it happened, and the reply was lost", replyLost],
  ["it did not happen", requestLost],
];
const deps = (orders: OrderStore): FulfilmentDeps => ({ orders, wakeSagas: () => {} });
const typesOf = async (orderId: string) =>
  (await at.store.events(orderId)).map(({ event }) => event.$typeName.split(".").at(-1));

async function inState(state: "PAID" | "SHIPPED"): Promise<Order> {
  let order = await at.place();
  for (const type of ["stockReserved", "authorized", "captured"] as const) {
    order = await at.store.append(order, decide(order, { type }), 1n);
  }
  return state === "PAID" ? order : await shipOrder(deps(at.store), { orderId: order.orderId, trackingNumber: "T-1" });
}

describe.each(ways)("a COMMIT of which nobody knows: %s", (_what, inDoubt) => {
  test("append() finds out, and its event is in the stream once", () =>
    inDoubt(async ({ store, lost }) => {
      const placed = await at.place();
      const reserved = await store.append(placed, decide(placed, { type: "stockReserved" }), 1n);
      expect(lost()).toBe(1);
      expect(reserved).toMatchObject({ state: "RESERVED", version: 2 });
      expect(await typesOf(placed.orderId)).toEqual(["OrderPlaced", "OrderReserved"]);
      // It goes on from there as if nothing had been.
      await store.append(reserved, decide(reserved, { type: "authorized" }), 1n);
      expect(await typesOf(placed.orderId)).toEqual(["OrderPlaced", "OrderReserved", "OrderConfirmed"]);
    }));

  test("cancelOrder() finds out: one cancellation, told once", () =>
    inDoubt(async ({ store, lost }) => {
      const { orderId, userId } = await at.place();
      expect(await cancelOrder(deps(store), { orderId, userId })).toMatchObject({ state: "CANCELLED", version: 2 });
      expect(lost()).toBe(1);
      expect(await typesOf(orderId)).toEqual(["OrderPlaced", "OrderCancelled"]);
    }));

  test("shipOrder() finds out: the parcel has left once", () =>
    inDoubt(async ({ store, lost }) => {
      const { orderId } = await inState("PAID");
      const shipped = await shipOrder(deps(store), { orderId, trackingNumber: "T-1" });
      expect([lost(), shipped.state, shipped.version]).toEqual([1, "SHIPPED", 5]);
      expect(await typesOf(orderId)).toHaveLength(5);
    }));

  test("deliverOrder() finds out: the parcel has arrived once", () =>
    inDoubt(async ({ store, lost }) => {
      const { orderId } = await inState("SHIPPED");
      const delivered = await deliverOrder(deps(store), orderId);
      expect([lost(), delivered.state, delivered.version]).toEqual([1, "DELIVERED", 6]);
      expect(await typesOf(orderId)).toHaveLength(6);
    }));
});

test("an append that did not happen, and that somebody else has been faster than since, is ORDER_CHANGED", async () => {
  const placed = await at.place();
  let armed = true;
  await using database = createDatabase({
    ...{ url: at.url, telemetry: at.telemetry },
    async onStatement(when, name) {
      if (when === "before" && name === "order.append.commit") throw rpcError(Code.Unavailable, "gone");
      if (when === "after" || name !== "order.selectOrder" || !armed) return;
      armed = false;
      await cancelOrder(deps(at.store), placed);
    },
  });
  const append = at.storeOn(database).append(placed, decide(placed, { type: "stockReserved" }), 1n);
  expect(errorReason(await append.catch((error) => error))).toBe("ORDER_CHANGED");
  expect(await typesOf(placed.orderId)).toEqual(["OrderPlaced", "OrderCancelled"]);
});

test("while nobody can be asked, it stays unknown: nothing is taken for granted", async () => {
  const placed = await at.place();
  let away = false;
  await using database = createDatabase({
    ...{ url: at.url, telemetry: at.telemetry },
    onStatement(when, name) {
      if (away) throw rpcError(Code.Unavailable, "away", { reason: "DATABASE_UNAVAILABLE", domain: "weft" });
      if (when === "before" || name !== "order.append.commit") return;
      away = true;
      throw rpcError(Code.Unavailable, "gone");
    },
  });
  const append = at.storeOn(database).append(placed, decide(placed, { type: "stockReserved" }), 1n);
  expect(errorReason(await append.catch((error) => error))).toBe("COMMIT_OUTCOME_UNKNOWN");
});
