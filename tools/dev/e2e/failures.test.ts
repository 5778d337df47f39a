import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { expectBooksToBalance } from "./books.ts";
import { type Shop, startShop } from "./shop.ts";

type Customer = Awaited<ReturnType<Shop["customer"]>>;

const sku = "COF-ESPRESSO-250";

function place(customer: Customer, paymentMethod = "tok_visa") {
  const lines = [{ sku, quantity: 1 }];
  return customer.orders.placeOrder({ idempotencyKey: randomUUID(), lines, paymentMethod });
}

/** Places orders, four at a time: twenty at once would measure how fast the machine is. */
async function placeMany(customer: Customer, count: number): Promise<string[]> {
  const orderIds: string[] = [];
  while (orderIds.length < count) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(4, count - orderIds.length) }, () => place(customer)),
    );
    for (const { order } of answers) {
      expect(order?.state).toBe(OrderState.CONFIRMED);
      orderIds.push(order?.orderId ?? "");
    }
  }
  return orderIds;
}

describe("when a part of the shop is away", () => {
  let shop: Shop;
  beforeAll(async () => {
    // A lost authorization is asked for, then given up, while a test can wait for it.
    shop = await startShop("multi", { ORDER__AWAITING_PAYMENT_TTL_MS: "20000" });
  }, 120_000);
  afterAll(() => shop?.[Symbol.asyncDispose]());
  // What a failed test has left stopped must not fail the next.
  afterEach(() => shop?.stack.start());

  const confirmations = async (customer: Customer) =>
    (await shop.mails()).filter(({ to, subject }) => to.includes(customer.email) && subject.includes("is confirmed"));
  const balanced = () =>
    expect.poll(() => expectBooksToBalance(shop).then(() => "balanced", String), { timeout: 30_000 }).toBe("balanced");

  test("notification stopped, 20 orders placed, notification started: 20 e-mails", async () => {
    const ada = await shop.customer();
    await expect.poll(() => shop.mails().then((mails) => mails.some(({ to }) => to.includes(ada.email)))).toBe(true);
    await shop.stack.stop("notification");
    await placeMany(ada, 20);
    expect(await confirmations(ada)).toEqual([]);
    await shop.stack.start("notification");
    await expect.poll(async () => (await confirmations(ada)).length, { timeout: 20_000 }).toBe(20);
    await balanced();
  }, 60_000);

  test("notification killed in the middle of its e-mails: none lost, none twice but where SMTP had accepted it", async () => {
    const ada = await shop.customer();
    await expect.poll(() => shop.mails().then((mails) => mails.some(({ to }) => to.includes(ada.email)))).toBe(true);
    const orders = placeMany(ada, 20);
    await expect.poll(async () => (await confirmations(ada)).length, { interval: 5 }).toBeGreaterThan(2);
    shop.stack.kill("notification", "SIGKILL");
    await shop.stack.ended("notification");
    const orderIds = await orders;
    await shop.stack.start("notification");
    const subjects = orderIds.map((id) => `Your order ${id} is confirmed`);
    await expect
      .poll(
        async () => {
          const sent = new Set((await confirmations(ada)).map(({ subject }) => subject));
          return subjects.filter((subject) => !sent.has(subject));
        },
        { timeout: 40_000 },
      )
      .toEqual([]);
    await balanced();
    // A mail may have come twice only if it was begun twice: the kill came between SMTP's acceptance, whose reply may be lost
    // with the process, and the commit.
    const mails = await confirmations(ada);
    const begun = (await shop.logs("notification")).filter(({ message }) => message === "message sending");
    for (const { message_id } of mails) {
      const times = mails.filter((mail) => mail.message_id === message_id).length;
      const logged = begun.filter((line) => JSON.stringify(line).includes(message_id.slice(1, -1))).length;
      expect(times, `${message_id} came ${times} times`).toBeLessThanOrEqual(Math.max(1, logged));
    }
  }, 90_000);

  test("NATS stopped while orders are placed: all are confirmed, and all events are handled after it is back", async () => {
    const ada = await shop.customer();
    await shop.stack.stop("nats");
    const orderIds: string[] = [];
    const until = performance.now() + 10_000;
    while (performance.now() < until) {
      // Twenty a second at most: a quick machine would sell out.
      const [placed] = await Promise.all([placeMany(ada, 2), setTimeout(100)]);
      orderIds.push(...placed);
    }
    await shop.stack.start("nats");
    await expect.poll(async () => (await confirmations(ada)).length, { timeout: 30_000 }).toBe(orderIds.length);
    await balanced();
  }, 90_000);

  test("payment stopped: calls fail fast, orders wait for their payment, and all is well within 5 s of its return", async () => {
    const ada = await shop.customer();
    await shop.stack.stop("payment");
    const slowest: number[] = [];
    for (let count = 0; count < 12; count++) {
      const startedAt = performance.now();
      const { order } = await place(ada);
      slowest.push(performance.now() - startedAt);
      expect(order?.state).toBe(OrderState.AWAITING_PAYMENT);
      expect(order?.paymentInstructions).not.toBe("");
    }
    expect(Math.max(...slowest)).toBeLessThan(1_000);
    const metrics = await (await fetch(`http://${shop.stack.addresses.services.order.metrics}/metrics`)).text();
    const gauge = metrics.split("\n").filter((line) => line.startsWith("weft_client_breaker_state{"));
    expect(gauge.find((line) => line.includes("AuthorizePayment"))).toMatch(/ 2$/);
    await shop.stack.start("payment");
    const backAt = performance.now();
    await expect.poll(async () => (await place(ada)).order?.state, { timeout: 5_000 }).toBe(OrderState.CONFIRMED);
    expect(performance.now() - backAt).toBeLessThan(5_000);
    // Those that waited run out of time: nothing was authorized for them, their stock comes back.
    await expect
      .poll(() => shop.rows("order", "SELECT order_id FROM orders WHERE state = 'AWAITING_PAYMENT'"), {
        timeout: 40_000,
      })
      .toEqual([]);
    await balanced();
  }, 120_000);

  test("the provider's reply lost after it authorized: the order is confirmed by asking, and charged once", async () => {
    const ada = await shop.customer();
    await shop.fault({ kind: "lost_reply", operation: "authorize", count: 1 });
    const { order } = await place(ada);
    const orderId = order?.orderId ?? "";
    await expect
      .poll(() => shop.rows("order", "SELECT state FROM orders WHERE order_id = ?", [orderId]), { timeout: 20_000 })
      .toEqual([{ state: "PAID" }]);
    await balanced();
  }, 60_000);

  test("order killed between reservation and confirmation: another start resumes the saga", async () => {
    const ada = await shop.customer();
    await shop.fault({ kind: "delay", operation: "authorize", count: 5, delay_ms: 600 });
    const attempts = Promise.all(Array.from({ length: 5 }, () => place(ada).catch(() => undefined)));
    const states = () =>
      shop.rows<{ state: string }>("order", "SELECT state FROM orders WHERE user_id = ?", [ada.userId]);
    await expect
      .poll(async () => (await states()).filter(({ state }) => state === "RESERVED").length, { interval: 5 })
      .toBe(5);
    shop.stack.kill("order", "SIGKILL");
    await shop.stack.ended("order");
    expect((await states()).map(({ state }) => state)).toEqual(Array(5).fill("RESERVED"));
    await shop.stack.start("order");
    await attempts;
    await expect.poll(states, { timeout: 30_000 }).toEqual(Array(5).fill({ state: "PAID" }));
    await balanced();
  }, 90_000);

  test("everything killed at once: what was acknowledged is there and ends as it should", async () => {
    const ada = await shop.customer();
    // The test before has killed order: the edge's breaker may still be open.
    const places = () =>
      place(ada).then(
        () => true,
        () => false,
      );
    await expect.poll(places, { timeout: 10_000 }).toBe(true);
    const acknowledged: string[] = [];
    let stop = false;
    const load = Array.from({ length: 5 }, async () => {
      while (!stop) {
        const answer = await place(ada).catch(() => undefined);
        if (answer?.order) acknowledged.push(answer.order.orderId);
      }
    });
    await expect.poll(() => acknowledged.length, { interval: 5, timeout: 10_000 }).toBeGreaterThan(10);
    const names = shop.stack
      .status()
      .filter(({ name }) => !["payment-provider", "mail-catcher", "otlp-receiver", "webhook-catcher"].includes(name))
      .map(({ name }) => name);
    for (const name of names) shop.stack.kill(name, "SIGKILL");
    await Promise.all(names.map((name) => shop.stack.ended(name)));
    stop = true;
    await Promise.all(load);
    await shop.stack.start();
    await expect
      .poll(() => shop.rows("order", "SELECT order_id FROM orders WHERE state NOT IN ('PAID', 'CANCELLED')"), {
        timeout: 60_000,
      })
      .toEqual([]);
    const orders = await shop.rows<{ order_id: string }>("order", "SELECT order_id FROM orders");
    const known = new Set(orders.map(({ order_id }) => order_id));
    expect(acknowledged.filter((id) => !known.has(id))).toEqual([]);
    await balanced();
  }, 150_000);
});
