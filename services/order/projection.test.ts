import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { errorReason, systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, newId } from "@weft/mesh/data";
import { replayProjection } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import { PaymentCapturedSchema } from "../../gen/shop/payment/v1/events_pb.ts";
import { loadConfig } from "./config.ts";
import { apply, type Order } from "./domain.ts";
import { readEvents } from "./event-rows.ts";
import { historyProjection } from "./history-projection.ts";
import { start } from "./main.ts";
import { type Neighbours, startNeighbours } from "./testing/neighbours.ts";

const resources = new AsyncDisposableStack();
let shop: Neighbours;
let orders: Client<typeof OrderService>;
let operator: Client<typeof OrderService>;
let database: Database;

beforeAll(async () => {
  shop = resources.use(await startNeighbours());
  resources.use(await start(loadConfig(shop.mesh.env("order"))));
  orders = await shop.mesh.client(OrderService, "order", "edge");
  operator = await shop.mesh.client(OrderService, "order", "operator");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: shop.mesh.database("order").url, telemetry }));
});
afterAll(() => resources.disposeAsync());
beforeEach(() => shop.reset());

const newUser = () => ({ userId: newId("usr", 7, { clock: systemClock, random: Math.random }), scopes: ["customer"] });
type User = ReturnType<typeof newUser>;
let keys = 0;

async function place(user: User, sku = "apple") {
  const request = { idempotencyKey: `history-key-${++keys}`, lines: [{ sku, quantity: 2 }], paymentMethod: "tok_visa" };
  const { order } = await runAs({ endUser: user }, () => orders.placeOrder(request));
  if (order === undefined) throw new Error("an answer without an order");
  return order;
}
const cancel = (user: User, orderId: string) => runAs({ endUser: user }, () => orders.cancelOrder({ orderId }));
const list = async (user: User, pageToken = "") =>
  await runAs({ endUser: user }, () => orders.listOrders({ pageSize: 2, pageToken }));
const asClerk = <T>(fn: () => Promise<T>) => runAs({ endUser: { ...newUser(), scopes: ["warehouse"] } }, fn);

/** An order that has come as far as it can. */
async function deliver(user: User): Promise<void> {
  const { orderId } = await place(user);
  await shop.mesh.publish(PaymentCapturedSchema, { orderId });
  const isPaid = async () => expect((await orders.getOrder({ orderId })).order?.state).toBe(OrderState.PAID);
  await vi.waitFor(isPaid, { timeout: 15_000, interval: 50 });
  await asClerk(() => orders.shipOrder({ orderId, trackingNumber: "DHL-1" }));
  await asClerk(() => orders.deliverOrder({ orderId }));
}

interface Entry {
  readonly order_id: string;
  readonly user_id: string;
  readonly state: string;
  readonly total_minor_units: string;
  readonly version: number;
}
const readModel = () => database.query<Entry>("test.history", "SELECT * FROM order_history ORDER BY order_id");

/** What the read model must say: each order's events, folded here. */
async function foldOfAllEvents() {
  const rows = await database.query<{ id: string }>("test.ids", "SELECT DISTINCT order_id AS id FROM order_events");
  const stored = await readEvents(
    database,
    rows.map(({ id }) => id),
  );
  const folded = [...stored.values()].flatMap(
    (events) =>
      events.reduce<Order | undefined>((order, { event, occurredAt }) => apply(order, event, occurredAt), undefined) ??
      [],
  );
  return folded
    .toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1))
    .map((order) => ({
      user_id: order.userId,
      order_id: order.orderId,
      state: order.state,
      currency_code: order.total.currencyCode,
      total_minor_units: order.total.minorUnits.toString(),
      item_count: order.lines.reduce((sum, { quantity }) => sum + quantity, 0),
      placed_at: order.history[0]?.enteredAt,
      version: order.version,
    }));
}

/** Waits until the read model has heard of all that has happened. */
const caughtUp = () =>
  vi.waitFor(async () => expect(await readModel()).toEqual(await foldOfAllEvents()), {
    timeout: 15_000,
    interval: 100,
  });

describe("RebuildHistory", () => {
  test("of an emptied table, while orders are placed and cancelled: the fold of all events, and what it was", async () => {
    const ann = newUser();
    await Promise.all([deliver(ann), deliver(ann)]);
    for (let count = 0; count < 10; count += 1) {
      const { orderId } = await place(ann);
      if (count % 3 === 0) await cancel(ann, orderId);
    }
    shop.soldOut.add("pear");
    await place(ann, "pear");
    await caughtUp();
    const before = await readModel();
    expect(new Set(before.map(({ state }) => state))).toEqual(new Set(["DELIVERED", "CONFIRMED", "CANCELLED"]));

    let isOver = false;
    /** A customer who looks at the list after each step, and always finds it done. */
    const shopping = async (user: User) => {
      for (let count = 0; !isOver || count < 5; count += 1) {
        const { orderId } = await place(user);
        expect((await list(user)).orders[0]).toMatchObject({ orderId });
        if (count % 2 === 0) await cancel(user, orderId);
        if (count % 2 === 0) expect((await list(user)).orders[0]).toMatchObject({ state: OrderState.CANCELLED });
      }
    };
    const rebuilding = async () => {
      for (let count = 0; count < 3; count += 1) {
        await database.execute("test.empty", "TRUNCATE TABLE order_history");
        const { orders: rebuilt } = await operator.rebuildHistory({});
        expect(rebuilt).toBeGreaterThanOrEqual(before.length);
      }
    };
    const customers = [newUser(), newUser(), newUser()].map(shopping);
    await Promise.all([
      rebuilding().finally(() => {
        isOver = true;
      }),
      ...customers,
    ]);
    await caughtUp();
    const known = new Set(before.map(({ order_id }) => order_id));
    expect((await readModel()).filter(({ order_id }) => known.has(order_id))).toEqual(before);
  });

  test("mends what somebody has spoilt, ahead of the truth or behind, and takes out what is no order's", async () => {
    const user = newUser();
    for (let count = 0; count < 3; count += 1) await place(user);
    await caughtUp();
    const before = await readModel();
    const [ahead, behind, lost] = before.filter(({ user_id }) => user_id === user.userId);
    const spoil = (set: string, entry: Entry | undefined) =>
      database.execute("test.spoil", `UPDATE order_history SET ${set} WHERE order_id = ?`, [entry?.order_id ?? ""]);
    await spoil("state = 'DELIVERED', version = 99", ahead);
    await spoil(
      "state = 'PLACED', version = 1, total_minor_units = 1, item_count = 9, placed_at = '2000-01-01'",
      behind,
    );
    await spoil("user_id = 'usr_nobody'", lost);
    await database.execute(
      "test.stray",
      `INSERT INTO order_history SELECT user_id, 'ord_none', state, currency_code, total_minor_units, item_count, placed_at, version
       FROM order_history LIMIT 1`,
    );
    expect(await operator.rebuildHistory({})).toMatchObject({ orders: BigInt(before.length), removed: 2n });
    expect(await readModel()).toEqual(before);
  });

  test("loses nothing that happens to an order between reading its events and the swap", async () => {
    const user = newUser();
    const { orderId } = await place(user);
    await caughtUp();
    let cancelling: Promise<unknown> | undefined;
    const isCancelled = async () =>
      (await readModel()).some(({ order_id, state }) => order_id === orderId && state === "CANCELLED");
    const whileReading = async <Row>(...statement: Parameters<Database["query"]>) => {
      const rows = await database.query<Row>(...statement);
      if (statement[0] !== "order.selectEventPage" || cancelling !== undefined) return rows;
      cancelling = cancel(user, orderId);
      // The consumer writes it into the table that is about to be replaced.
      await vi.waitFor(async () => expect(await isCancelled()).toBe(true), { timeout: 15_000, interval: 20 });
      return rows;
    };
    await replayProjection(
      { database: { ...database, query: whileReading }, clock: systemClock },
      historyProjection,
      "test",
      () => {},
    );
    await cancelling;
    await caughtUp();
    expect(await isCancelled()).toBe(true);
  });

  test("is the operator's: neither the edge nor a customer through it", async () => {
    for (const call of [
      () => orders.rebuildHistory({}),
      () => runAs({ endUser: newUser() }, () => orders.rebuildHistory({})),
    ]) {
      const error = await call().then(() => undefined, ConnectError.from);
      expect(error?.code).toBe(Code.PermissionDenied);
      expect(error && errorReason(error)).toBe("OPERATOR_ONLY");
      expect(error?.message).toContain("shop.order.v1.OrderService/RebuildHistory is for spiffe://weft.local/operator");
    }
  });
});

test("an order that the read model has lost is in it again with the next thing that happens to it", async () => {
  const user = newUser();
  const { orderId } = await place(user);
  await caughtUp();
  await database.execute("test.lose", "DELETE FROM order_history WHERE order_id = ?", [orderId]);
  await cancel(user, orderId);
  await caughtUp();
});

test("ListOrders never misses the customer's own last change, however late the read model is", async () => {
  const user = newUser();
  const first = await place(user);
  await caughtUp();
  const late = await readModel();
  await database.session("test.delay", async (session) => {
    // Whoever reads may; the projection waits.
    await session.script("test.lock", "LOCK TABLES order_history READ");
    const placed = [first.orderId];
    for (let count = 0; count < 3; count += 1) {
      placed.unshift((await place(user)).orderId);
      expect((await list(user)).orders.map(({ orderId }) => orderId)).toEqual(placed.slice(0, 2));
    }
    await cancel(user, placed[1] ?? "");
    const { orders: seen, nextPageToken } = await list(user);
    expect(seen).toMatchObject([{ orderId: placed[0] }, { orderId: placed[1], state: OrderState.CANCELLED }]);
    expect((await list(user, nextPageToken)).orders.map(({ orderId }) => orderId)).toEqual(placed.slice(2));
    const own = "SELECT * FROM order_history ORDER BY order_id";
    expect(await session.query("test.late", own), "the read model is late").toEqual(late);
  });
  const fromTruth = (await list(user)).orders;
  await caughtUp();
  expect((await list(user)).orders).toEqual(fromTruth);
});
