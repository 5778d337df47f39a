import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { errorReason, rpcError, systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, encodePageToken, newId } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { SagaService } from "@weft/mesh/gen/weft/admin/v1/sagas_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  CancellationCause,
  type OrderCancelled,
  OrderCancelledSchema,
  type OrderConfirmed,
  OrderConfirmedSchema,
  type OrderDelivered,
  OrderDeliveredSchema,
  type OrderPlaced,
  OrderPlacedSchema,
  type OrderShipped,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import { PaymentCapturedSchema, PaymentFailedSchema } from "../../gen/shop/payment/v1/events_pb.ts";
import { PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import { loadConfig } from "./config.ts";
import { apply, type Order } from "./domain.ts";
import { start } from "./main.ts";
import { createOrderStore } from "./store.ts";
import { hang, type Neighbours, startNeighbours } from "./testing/neighbours.ts";
import { recordCapture } from "./usecases.ts";

const resources = new AsyncDisposableStack();
const awaitingPaymentTtlMs = 5_000;
let shop: Neighbours;
let orders: Client<typeof OrderService>;
let database: Database;
let told: {
  placed: readonly OrderPlaced[];
  confirmed: readonly OrderConfirmed[];
  cancelled: readonly OrderCancelled[];
  shipped: readonly OrderShipped[];
  delivered: readonly OrderDelivered[];
};
let keys = 0;

beforeAll(async () => {
  shop = resources.use(await startNeighbours());
  const { mesh } = shop;
  const env = { ...mesh.env("order"), AWAITING_PAYMENT_TTL_MS: String(awaitingPaymentTtlMs) };
  resources.use(await start(loadConfig(env)));
  orders = await mesh.client(OrderService, "order", "edge");
  told = {
    placed: await mesh.watch(OrderPlacedSchema),
    confirmed: await mesh.watch(OrderConfirmedSchema),
    cancelled: await mesh.watch(OrderCancelledSchema),
    shipped: await mesh.watch(OrderShippedSchema),
    delivered: await mesh.watch(OrderDeliveredSchema),
  };
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("order").url, telemetry }));
});
afterAll(() => resources.disposeAsync());
beforeEach(() => shop.reset());

/** The store of an instance that tells nobody here. */
const otherInstance = () =>
  createOrderStore({ database, clock: systemClock, publish: async () => {}, onChange: () => {} });
const newUser = () => ({ userId: newId("usr", 7, { clock: systemClock, random: Math.random }), scopes: ["customer"] });
const alice = newUser();
const newKey = () => `key-of-test-${++keys}`;
const lines = [
  { sku: "apple", quantity: 2 },
  { sku: "pear", quantity: 1 },
];

interface Request {
  idempotencyKey?: string;
  lines?: { sku: string; quantity: number }[];
  paymentMethod?: string;
}

async function place(request: Request = {}, options: CallOptions = {}, user = alice) {
  const whole = { idempotencyKey: newKey(), lines, paymentMethod: "tok_visa", ...request };
  const { order } = await runAs({ endUser: user }, () => orders.placeOrder(whole, options));
  if (order === undefined) throw new Error("an answer without an order");
  return order;
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  return await call.then(
    () => Promise.reject(new Error("it succeeded")),
    (error) => ConnectError.from(error),
  );
}

const get = async (orderId: string) => (await orders.getOrder({ orderId })).order;
const becomes = (orderId: string, state: OrderState) =>
  vi.waitFor(async () => expect((await get(orderId))?.state).toBe(state), { timeout: 15_000, interval: 50 });
const of = (orderId: string) => (event: { orderId: string }) => event.orderId === orderId;
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, 15_000);

describe("PlaceOrder", () => {
  test("prices the order from the catalog, reserves, authorizes, confirms, and tells", async () => {
    const order = await place();
    expect(order).toMatchObject({
      userId: alice.userId,
      state: OrderState.CONFIRMED,
      total: { currencyCode: "EUR", minorUnits: 600n },
      lines: [
        { sku: "apple", name: "name of apple", quantity: 2, unitPrice: { minorUnits: 250n } },
        { sku: "pear", quantity: 1, unitPrice: { minorUnits: 100n } },
      ],
      history: [{ state: OrderState.PLACED }, { state: OrderState.RESERVED }, { state: OrderState.CONFIRMED }],
      version: 3n,
    });
    expect(order.orderId.slice(4, 6)).toBe(alice.userId.slice(4, 6));
    expect(shop.asked).toEqual([`reserve ${order.orderId}`, `authorize ${order.orderId} 600`]);
    await eventually(() => expect(told.placed.filter(of(order.orderId))).toHaveLength(1));
    await eventually(() =>
      expect(told.confirmed.filter(of(order.orderId))).toMatchObject([
        { userId: alice.userId, total: { minorUnits: 600n } },
      ]),
    );
  });

  test("without an end user is UNAUTHENTICATED", async () => {
    const request = { idempotencyKey: newKey(), lines, paymentMethod: "tok_visa" };
    expect((await failure(orders.placeOrder(request))).code).toBe(Code.Unauthenticated);
  });

  test("the same request with the same key is the same order, whatever the order of its lines", async () => {
    const idempotencyKey = newKey();
    const first = await place({ idempotencyKey });
    const second = await place({ idempotencyKey, lines: lines.toReversed() });
    expect(second.orderId).toBe(first.orderId);
    expect(shop.asked).toHaveLength(2);
  });

  test("another request with the same key is ALREADY_EXISTS, even one that could not be placed", async () => {
    const idempotencyKey = newKey();
    await place({ idempotencyKey });
    for (const other of [{ paymentMethod: "tok_other" }, { lines: [{ sku: "unknown", quantity: 1 }] }]) {
      const error = await failure(place({ idempotencyKey, ...other }));
      expect(error.code).toBe(Code.AlreadyExists);
      expect(errorReason(error)).toBe("IDEMPOTENCY_KEY_REUSED");
      expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("idempotency_key");
    }
  });

  test("a key is its user's: another user's same key is another order", async () => {
    const idempotencyKey = newKey();
    const mine = await place({ idempotencyKey });
    const theirs = await place({ idempotencyKey, paymentMethod: "tok_other" }, {}, newUser());
    expect(theirs.orderId).not.toBe(mine.orderId);
  });

  test("fifty at once with one key are one order, reserved and authorized once, and all are told of it", async () => {
    const idempotencyKey = newKey();
    const answers = await Promise.all(Array.from({ length: 50 }, () => place({ idempotencyKey })));
    expect(new Set(answers.map(({ orderId }) => orderId)).size).toBe(1);
    expect(new Set(answers.map(({ state }) => state))).toEqual(new Set([OrderState.CONFIRMED]));
    expect(shop.asked.map((what) => what.split(" ")[0])).toEqual(["reserve", "authorize"]);
  });

  test("fifty at once with keys of their own are fifty orders", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => place()));
    expect(new Set(answers.map(({ orderId }) => orderId)).size).toBe(50);
    for (const { orderId } of answers) await becomes(orderId, OrderState.CONFIRMED);
    expect(shop.asked.filter((what) => what.startsWith("authorize"))).toHaveLength(50);
  });

  test("names the line of a product that the catalog does not have, or that is named twice", async () => {
    const unknown = await failure(place({ lines: [...lines, { sku: "plum", quantity: 1 }] }));
    const twice = await failure(place({ lines: [...lines, { sku: "apple", quantity: 1 }] }));
    for (const error of [unknown, twice]) {
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field: "lines[2].sku" }]);
    }
    expect(shop.asked).toEqual([]);
  });

  test("out of stock: cancelled, with what is short", async () => {
    shop.soldOut.add("pear");
    expect(await place()).toMatchObject({
      state: OrderState.CANCELLED,
      cancelReason: "out of stock: pear (wanted 1, available 0)",
    });
    expect(shop.asked).toHaveLength(1);
  });

  test("declined: cancelled, and the stock is given back before the answer", async () => {
    shop.authorization = PaymentState.DECLINED;
    const order = await place();
    expect(order).toMatchObject({ state: OrderState.CANCELLED, cancelReason: "payment declined: insufficient funds" });
    expect(shop.asked.at(-1)).toBe(`release ${order.orderId}`);
    await eventually(() => expect(told.cancelled.filter(of(order.orderId))).toHaveLength(1));
  });

  test("answers PLACED shortly before its caller's deadline; the order goes on by itself", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    shop.before.reserve = () => promise;
    const order = await place({}, { timeoutMs: 700 });
    expect(order.state).toBe(OrderState.PLACED);
    resolve();
    await becomes(order.orderId, OrderState.CONFIRMED);
  });

  test("a caller that leaves before the commit leaves nothing behind", async () => {
    const caller = new AbortController();
    shop.before.catalog = async () => {
      caller.abort();
      await hang();
    };
    const idempotencyKey = newKey();
    expect((await failure(place({ idempotencyKey }, { signal: caller.signal }))).code).toBe(Code.Canceled);
    const sql = "SELECT 1 FROM weft_idempotency WHERE idempotency_key = ?";
    expect(await database.query("test.keys", sql, [idempotencyKey])).toEqual([]);
  });

  test("a caller that leaves after the commit does not stop the order", async () => {
    const caller = new AbortController();
    shop.before.reserve = async () => caller.abort();
    const idempotencyKey = newKey();
    expect((await failure(place({ idempotencyKey }, { signal: caller.signal }))).code).toBe(Code.Canceled);
    const order = await place({ idempotencyKey });
    expect(order.state).toBe(OrderState.CONFIRMED);
    expect(shop.asked.filter((what) => what.startsWith("authorize"))).toHaveLength(1);
  });

  test("inventory away for a while: the order stays PLACED and is reserved when it is back", async () => {
    let away = true;
    shop.before.reserve = async () => {
      if (away) throw rpcError(Code.Unavailable, "away");
    };
    const startMs = performance.now();
    const order = await place();
    expect(order.state).toBe(OrderState.PLACED);
    // A second or two, not the five that it has.
    expect(performance.now() - startMs).toBeLessThan(3_500);
    away = false;
    await becomes(order.orderId, OrderState.CONFIRMED);
  });
});

describe("an authorization whose outcome is unknown", () => {
  test("payment too slow: AWAITING_PAYMENT within a second or so, CONFIRMED when it turns out to have succeeded", async () => {
    shop.before.authorize = hang;
    const startMs = performance.now();
    const order = await place();
    expect(performance.now() - startMs).toBeLessThan(1_500);
    expect(order.state).toBe(OrderState.AWAITING_PAYMENT);
    expect(order.paymentInstructions).toContain(order.orderId);
    shop.payments.set(order.orderId, PaymentState.AUTHORIZED);
    await becomes(order.orderId, OrderState.CONFIRMED);
    expect(shop.asked.filter((what) => what.startsWith("authorize"))).toHaveLength(1);
    expect((await get(order.orderId))?.paymentInstructions).toBe("");
  });

  test("payment away, and time runs out: cancelled, the stock given back", async () => {
    shop.before.authorize = async () => {
      throw rpcError(Code.Unavailable, "away");
    };
    const order = await place();
    expect(order.state).toBe(OrderState.AWAITING_PAYMENT);
    await becomes(order.orderId, OrderState.CANCELLED);
    await eventually(() => expect(shop.asked.at(-1)).toBe(`release ${order.orderId}`));
    expect((await get(order.orderId))?.cancelReason).toBe("not paid in time");
  });
});

describe("what becomes of the money", () => {
  test("captured: PAID", async () => {
    const { orderId } = await place();
    await shop.mesh.publish(PaymentCapturedSchema, { orderId });
    await becomes(orderId, OrderState.PAID);
  });

  test("finally refused: CANCELLED, the stock given back", async () => {
    const { orderId } = await place();
    await shop.mesh.publish(PaymentFailedSchema, { orderId, reason: "authorization expired" });
    await becomes(orderId, OrderState.CANCELLED);
    await eventually(() => expect(shop.asked.at(-1)).toBe(`release ${orderId}`));
    expect((await get(orderId))?.cancelReason).toBe("payment failed: authorization expired");
  });
});

const asClerk = <T>(fn: () => Promise<T>) => runAs({ endUser: { ...newUser(), scopes: ["warehouse"] } }, fn);
const cancel = async (orderId: string, user = alice) =>
  (await runAs({ endUser: user }, () => orders.cancelOrder({ orderId }))).order;
const ship = async (orderId: string, trackingNumber = "DHL-1") =>
  (await asClerk(() => orders.shipOrder({ orderId, trackingNumber }))).order;
const deliver = async (orderId: string) => (await asClerk(() => orders.deliverOrder({ orderId }))).order;
async function paid() {
  const { orderId } = await place();
  await shop.mesh.publish(PaymentCapturedSchema, { orderId });
  await becomes(orderId, OrderState.PAID);
  return orderId;
}

describe("CancelOrder", () => {
  test("of an order that is paid: CANCELLED with its lines told, the stock given back; twice is once", async () => {
    const orderId = await paid();
    expect(await cancel(orderId)).toMatchObject({
      state: OrderState.CANCELLED,
      cancelReason: "cancelled by the customer",
      version: 5n,
    });
    expect(await cancel(orderId)).toMatchObject({ state: OrderState.CANCELLED, version: 5n });
    await eventually(() => expect(shop.asked.at(-1)).toBe(`release ${orderId}`));
    await eventually(() =>
      expect(told.cancelled.filter(of(orderId))).toMatchObject([{ lines: [{ sku: "apple" }, { sku: "pear" }] }]),
    );
  });

  test("while the saga authorizes: the authorization changes nothing any more, the stock is given back", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    shop.before.authorize = () => promise;
    const placing = place({ idempotencyKey: "cancelled-meanwhile" });
    await eventually(() => expect(shop.asked.at(-1)).toMatch(/^authorize/));
    const orderId = shop.asked.at(-1)?.split(" ")[1] ?? "";
    expect(await cancel(orderId)).toMatchObject({ state: OrderState.CANCELLED });
    resolve();
    expect(await placing).toMatchObject({ orderId, state: OrderState.CANCELLED });
    await eventually(() => expect(shop.asked.at(-1)).toBe(`release ${orderId}`));
  });

  test("money that was captured meanwhile does not bring the order back", async () => {
    const { orderId } = await place();
    await cancel(orderId);
    await shop.mesh.publish(PaymentCapturedSchema, { orderId });
    const marker = await paid();
    expect(marker).not.toBe(orderId);
    expect((await get(orderId))?.state).toBe(OrderState.CANCELLED);
  });

  test("of somebody else's order is NOT_FOUND, by a clerk PERMISSION_DENIED, of a shipped one FAILED_PRECONDITION", async () => {
    const orderId = await paid();
    expect((await failure(cancel(orderId, newUser()))).code).toBe(Code.NotFound);
    expect((await failure(asClerk(() => orders.cancelOrder({ orderId })))).code).toBe(Code.PermissionDenied);
    expect((await get(orderId))?.state).toBe(OrderState.PAID);
    await ship(orderId);
    expect((await failure(cancel(orderId))).code).toBe(Code.FailedPrecondition);
  });
});

describe("ShipOrder and DeliverOrder", () => {
  test("move any customer's order on, each once, and tell; a watcher sees the end", async () => {
    const orderId = await paid();
    const states: (OrderState | undefined)[] = [];
    const watching = runAs({ endUser: alice }, async () => {
      for await (const { order } of orders.watchOrder({ orderId })) states.push(order?.state);
    });
    expect(await ship(orderId)).toMatchObject({ state: OrderState.SHIPPED, trackingNumber: "DHL-1", version: 5n });
    expect(await ship(orderId)).toMatchObject({ version: 5n });
    expect((await failure(ship(orderId, "DHL-2"))).code).toBe(Code.FailedPrecondition);
    expect(await deliver(orderId)).toMatchObject({ state: OrderState.DELIVERED, trackingNumber: "DHL-1", version: 6n });
    expect(await deliver(orderId)).toMatchObject({ version: 6n });
    await watching;
    expect(states.at(-1)).toBe(OrderState.DELIVERED);
    await eventually(() => {
      expect(told.shipped.filter(of(orderId))).toMatchObject([{ trackingNumber: "DHL-1", userId: alice.userId }]);
      expect(told.delivered.filter(of(orderId))).toHaveLength(1);
    });
  });

  test("are not a customer's to call, and need an order in the state before", async () => {
    const { orderId } = await place();
    const request = { orderId, trackingNumber: "DHL-1" };
    const denied = runAs({ endUser: alice }, () => orders.shipOrder(request));
    expect((await failure(denied)).code).toBe(Code.PermissionDenied);
    expect((await failure(ship(orderId))).code).toBe(Code.FailedPrecondition);
    expect((await failure(deliver(orderId))).code).toBe(Code.FailedPrecondition);
    expect((await failure(ship("ord_none"))).code).toBe(Code.NotFound);
    expect((await failure(ship(orderId, "not a number!"))).message).toContain("tracking_number");
  });
});

describe("ListOrdersInState", () => {
  const list = (request: { state: OrderState; newestFirst?: boolean; pageSize?: number; pageToken?: string }) =>
    asClerk(() => orders.listOrdersInState(request));
  const idsOf = (answer: { orders: { orderId: string }[] }) => answer.orders.map(({ orderId }) => orderId);

  test("shows a clerk what is to be shipped and what is on its way, the oldest first, page after page", async () => {
    const waiting = [await paid(), await paid(), await paid()];
    const all = idsOf(await list({ state: OrderState.PAID, pageSize: 100 }));
    expect(all.slice(-3)).toEqual(waiting);

    const [first = "", second = "", third = ""] = waiting;
    await ship(second);
    expect(idsOf(await list({ state: OrderState.PAID, pageSize: 100 })).slice(-2)).toEqual([first, third]);
    await ship(first);
    const sent = await list({ state: OrderState.SHIPPED, pageSize: 100 });
    expect(idsOf(sent).slice(-2)).toEqual([second, first]);
    expect(sent.orders.at(-1)).toMatchObject({ trackingNumber: "DHL-1", lines: [{ sku: "apple" }, { sku: "pear" }] });

    const newest = await list({ state: OrderState.PAID, newestFirst: true, pageSize: 1 });
    expect(idsOf(newest)).toEqual([third]);

    const paged: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await list({ state: OrderState.PAID, pageSize: 1, pageToken });
      paged.push(...idsOf(page));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(paged).toEqual(idsOf(await list({ state: OrderState.PAID })));
  });

  test("is not a customer's to call, knows the warehouse's states only, and tokens of its own", async () => {
    const request = { state: OrderState.PAID };
    const denied = runAs({ endUser: alice }, () => orders.listOrdersInState(request));
    expect((await failure(denied)).code).toBe(Code.PermissionDenied);
    const other = encodePageToken("order.in_state/SHIPPED", [new Date(0).toISOString(), "ord_1"]);
    const own = encodePageToken("order.in_state/PAID", [new Date(0).toISOString(), "ord_1"]);
    const forged = encodePageToken("order.in_state/PAID", ["yesterday", "ord_1"]);
    for (const [bad, field] of [
      [{ state: OrderState.CONFIRMED }, "state"],
      [{ ...request, pageSize: 101 }, "page_size"],
      [{ ...request, pageToken: other }, "page_token"],
      [{ ...request, pageToken: forged }, "page_token"],
      [{ ...request, newestFirst: true, pageToken: own }, "page_token"],
    ] as const) {
      const error = await failure(list(bad));
      expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringContaining(field)]);
    }
  });
});

describe("ListOrders", () => {
  const list = async (user: ReturnType<typeof newUser>, request: { pageSize?: number; pageToken?: string } = {}) =>
    await runAs({ endUser: user }, () => orders.listOrders(request));

  test("shows a customer their own orders, newest first, page after page, at once and as they are now", async () => {
    const [bob, eve] = [newUser(), newUser()];
    const placed: string[] = [];
    for (let count = 0; count < 5; count += 1) placed.unshift((await place({}, {}, bob)).orderId);
    const newest = placed[0] ?? "";
    expect((await list(bob)).orders[0]).toMatchObject({
      orderId: newest,
      state: OrderState.CONFIRMED,
      itemCount: 3,
      total: { currencyCode: "EUR", minorUnits: 600n },
    });
    await cancel(newest, bob);
    expect((await list(bob)).orders[0]).toMatchObject({ orderId: newest, state: OrderState.CANCELLED });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await list(bob, { pageSize: 2, pageToken });
      seen.push(...page.orders.map(({ orderId }) => orderId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(placed);
    expect((await list(eve)).orders).toEqual([]);
    const { nextPageToken } = await list(bob, { pageSize: 2 });
    for (const token of [nextPageToken, "garbage"]) {
      const error = await failure(list(eve, { pageToken: token }));
      expect(error).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining("page_token") });
    }
  });
});

describe("GetOrder and WatchOrder", () => {
  test("show a customer only their own orders; an operator, who is no end user, sees all", async () => {
    const { orderId } = await place();
    const asBob = <T>(fn: () => Promise<T>) => runAs({ endUser: newUser() }, fn);
    expect((await failure(asBob(() => orders.getOrder({ orderId })))).code).toBe(Code.NotFound);
    const watched = asBob(async () => {
      for await (const _ of orders.watchOrder({ orderId })) throw new Error("somebody else's order was shown");
    });
    expect((await failure(watched)).code).toBe(Code.NotFound);
    expect((await get(orderId))?.orderId).toBe(orderId);
    expect((await failure(get("nonsense"))).code).toBe(Code.NotFound);
    expect(await failure(get("ord_é"))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("order_id"),
    });
  });

  test("a watcher sees the order as it is, each change, and the end at CANCELLED", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    shop.before.reserve = () => promise;
    const { orderId } = await place({}, { timeoutMs: 500 });
    const states: (OrderState | undefined)[] = [];
    const watching = runAs({ endUser: alice }, async () => {
      for await (const { order } of orders.watchOrder({ orderId })) states.push(order?.state);
    });
    await eventually(() => expect(states).toEqual([OrderState.PLACED]));
    resolve();
    await eventually(() => expect(states.at(-1)).toBe(OrderState.CONFIRMED));
    await shop.mesh.publish(PaymentFailedSchema, { orderId, reason: "no" });
    await watching;
    expect(states.at(-1)).toBe(OrderState.CANCELLED);
  });

  test("a watcher also sees what another instance has changed", async () => {
    const { orderId } = await place();
    const states: (OrderState | undefined)[] = [];
    const caller = new AbortController();
    const watching = (async () => {
      for await (const { order } of orders.watchOrder({ orderId }, { signal: caller.signal }))
        states.push(order?.state);
    })();
    await eventually(() => expect(states).toEqual([OrderState.CONFIRMED]));
    await database.transaction("test.capture", (tx) => recordCapture(otherInstance().unit(tx), orderId));
    await eventually(() => expect(states).toEqual([OrderState.CONFIRMED, OrderState.PAID]));
    caller.abort();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
  });
});

describe("weft.admin.v1 SagaService", () => {
  test("shows an operator a checkout under way, and compensates it: audited, told, its stock given back", async () => {
    const operator = await shop.mesh.client(SagaService, "order", "operator");
    shop.authorization = PaymentState.PENDING;
    const { orderId } = await place();
    const { sagas } = await operator.listSagas({ all: true, pageSize: 500 });
    expect(sagas.find(({ sagaId }) => sagaId === orderId)).toMatchObject({
      ...{ kind: "checkout", state: "AWAITING_PAYMENT", nextStep: "askPayment", stuckBecause: "" },
    });
    const { saga } = await operator.compensateSaga({ sagaId: orderId, reason: "no longer made" });
    expect(saga).toMatchObject({ state: "CANCELLED" });
    await eventually(() =>
      expect(told.cancelled.find((event) => event.orderId === orderId)).toMatchObject({
        ...{ cause: CancellationCause.OPERATOR, reason: "cancelled by the shop" },
      }),
    );
    await eventually(() => expect(shop.asked).toContain(`release ${orderId}`));
    const { steps } = await operator.getSaga({ sagaId: orderId });
    expect(steps.map(({ name }) => name)).toEqual(["PLACED", "RESERVED", "AWAITING_PAYMENT", "CANCELLED"]);
    const audit = "SELECT action, reason FROM weft_audit WHERE target = ?";
    expect(await database.query("test.audit", audit, [orderId])).toEqual([
      { action: "CompensateSaga", reason: "no longer made" },
    ]);
  });

  test("is the operator's alone", async () => {
    const edge = await shop.mesh.client(SagaService, "order", "edge");
    expect(ConnectError.from(await edge.listSagas({}).catch((error) => error)).code).toBe(Code.PermissionDenied);
  });
});

test("every order of this run is the fold of its events", async () => {
  const store = otherInstance();
  const rows = await database.query<{ order_id: string }>("test.orders", "SELECT order_id FROM orders");
  expect(rows.length).toBeGreaterThan(60);
  for (const { order_id: orderId } of rows) {
    const events = await store.events(orderId);
    const folded = events.reduce<Order | undefined>(
      (row, { event, occurredAt }) => apply(row, event, occurredAt),
      undefined,
    );
    expect(await store.get(orderId)).toEqual(folded);
  }
});
