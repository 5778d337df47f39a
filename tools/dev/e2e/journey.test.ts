import { randomUUID } from "node:crypto";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LiveService } from "../../../gen/shop/api/v1/live_pb.ts";
import { OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";
import { expectBooksToBalance } from "./books.ts";
import { createOperator } from "./operator.ts";
import { type Shop, startShop } from "./shop.ts";

const sku = "COF-ESPRESSO-250";
const order = (quantity = 1) => ({
  idempotencyKey: randomUUID(),
  lines: [{ sku, quantity }],
  paymentMethod: "tok_visa",
});

describe.each(["multi", "single"] as const)("the shop, topology %s", (topology) => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await startShop(topology);
  }, 120_000);
  afterAll(() => shop?.[Symbol.asyncDispose]());

  /** A call as curl makes it. */
  const post = (method: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(`${shop.stack.addresses.edge}/shop.api.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });

  const paid = (orderId: string) =>
    expect
      .poll(() => shop.rows("order", "SELECT state FROM orders WHERE order_id = ?", [orderId]), { timeout: 15_000 })
      .toEqual([{ state: "PAID" }]);

  test("a customer browses, orders, is charged once and gets his e-mails", async () => {
    const ada = await shop.customer();
    const first = await ada.catalog.listProducts({ pageSize: 10 });
    const second = await ada.catalog.listProducts({ pageSize: 10, pageToken: first.nextPageToken });
    expect(first.products).toHaveLength(10);
    expect(second.products[0]?.sku).not.toBe(first.products[0]?.sku);
    const { product, available } = await ada.catalog.getProduct({ sku });
    expect(available).toBeGreaterThan(0n);

    const placed = (await ada.orders.placeOrder(order(2))).order;
    if (!placed || !product?.price) throw new Error("no order or no price");
    expect(placed.state).toBe(OrderState.CONFIRMED);
    expect(placed.total?.minorUnits).toBe(product.price.minorUnits * 2n);

    const states: OrderState[] = [];
    for await (const { order: seen } of ada.orders.watchOrder({ orderId: placed.orderId })) {
      if (seen) states.push(seen.state);
      if (seen?.state === OrderState.PAID) break;
    }
    expect(states.at(-1)).toBe(OrderState.PAID);
    await expect
      .poll(async () =>
        (await shop.mails())
          .filter(({ to }) => to.includes(ada.email))
          .map(({ subject }) => subject)
          .sort(),
      )
      .toEqual(["Welcome to the Weft shop", `Your order ${placed.orderId} is confirmed`]);
    const entries = (await shop.ledger()).filter(({ reference }) => reference === placed.orderId);
    expect(entries.map(({ type }) => type)).toEqual(["authorize", "capture"]);
    expect((await ada.catalog.getProduct({ sku })).available).toBe((available ?? 0n) - 2n);
  });

  test("a customer who asks for SMS is told of his order by SMS, once, in the order's trace, and by no e-mail", async () => {
    const ada = await shop.customer();
    const phone = `+49${String(Date.now()).slice(-10)}`;
    await ada.accounts.updateProfile({
      profile: { phone, notifyBySms: true, notifyByEmail: false },
      updateMask: { paths: ["phone", "notify_by_sms", "notify_by_email"] },
    });
    // An order's events and a profile's come from two services, in any order.
    await expect
      .poll(() => shop.rows("notification", "SELECT phone FROM contacts WHERE user_id = ?", [ada.userId]))
      .toEqual([{ phone }]);
    const { order: placed } = await ada.orders.placeOrder(order());
    const traceId = ada.lastRequestId();
    const own = async () => (await shop.webhooks()).filter(({ to }) => to === phone);
    await expect
      .poll(own)
      .toMatchObject([
        { channel: "sms", text: expect.stringContaining(`your order ${placed?.orderId} is confirmed`), copies: 1 },
      ]);
    expect((await own())[0]?.traceparent).toContain(traceId);
    const subjects = (await shop.mails()).filter(({ to }) => to.includes(ada.email)).map(({ subject }) => subject);
    expect(subjects).toEqual(["Welcome to the Weft shop"]);
    const log = JSON.stringify(await shop.logs(topology === "multi" ? "notification" : "single"));
    expect(log).toContain("message accepted");
    expect(log).not.toContain(phone);
    const spans = () => shop.spans(traceId);
    await expect.poll(async () => (await spans()).map(({ name }) => name)).toContain("webhook /v1/sms");
    expect(JSON.stringify(await spans())).not.toContain(phone);
  });

  test("one order is one trace through every service that it touched", async () => {
    const ada = await shop.customer();
    const placed = await ada.orders.placeOrder(order());
    const traceId = ada.lastRequestId();
    await paid(placed.order?.orderId ?? "");
    await expect
      .poll(async () => [...new Set((await shop.spans(traceId)).map(({ service }) => service))].sort(), {
        timeout: 10_000,
      })
      // User too, if the edge had to ask it for its keys.
      .toEqual(
        expect.arrayContaining([
          "analytics",
          "cart",
          "catalog",
          "edge",
          "inventory",
          "notification",
          "order",
          "payment",
          "recommendation",
        ]),
      );
    const kinds = new Set((await shop.spans(traceId)).map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(expect.arrayContaining(["client", "consumer", "producer", "server"]));
  });

  test("the same key and request is the same order, another request with it an error", async () => {
    const ada = await shop.customer();
    const request = order();
    const first = await ada.orders.placeOrder(request);
    const again = await ada.orders.placeOrder(request);
    expect(again.order?.orderId).toBe(first.order?.orderId);
    const other = await ada.orders
      .placeOrder({ ...request, lines: [{ sku, quantity: 3 }] })
      .catch((error: unknown) => ConnectError.from(error));
    if (!(other instanceof ConnectError)) throw new Error("the second request was taken");
    expect(other.code).toBe(Code.AlreadyExists);
    expect(other.rawMessage).toContain("idempotency_key");
  });

  test("fifty at once with one key are one order", async () => {
    const ada = await shop.customer();
    const request = order();
    const answers = await Promise.all(Array.from({ length: 50 }, () => ada.orders.placeOrder(request)));
    expect(new Set(answers.map((answer) => answer.order?.orderId)).size).toBe(1);
    const rows = await shop.rows("order", "SELECT order_id FROM orders WHERE user_id = ?", [ada.userId]);
    expect(rows).toHaveLength(1);
  });

  test("a customer sees nobody else's order", async () => {
    const [ada, bob] = [await shop.customer(), await shop.customer()];
    const { order: placed } = await ada.orders.placeOrder(order());
    const request = { orderId: placed?.orderId ?? "" };
    const seen = await bob.orders.getOrder(request).catch((error: unknown) => ConnectError.from(error).code);
    expect(seen).toBe(Code.NotFound);
  });

  test("a declined payment cancels the order and gives the stock back", async () => {
    const ada = await shop.customer();
    const before = (await ada.catalog.getProduct({ sku })).available;
    const { order: placed } = await ada.orders.placeOrder({ ...order(), paymentMethod: "tok_declined" });
    expect(placed?.state).toBe(OrderState.CANCELLED);
    expect(placed?.cancelReason).toContain("declined");
    await expect.poll(async () => (await ada.catalog.getProduct({ sku })).available).toBe(before);
  });

  test("a customer cancels an order that is paid: refunded once, the stock back, and the history says so", async () => {
    const ada = await shop.customer();
    const before = (await ada.catalog.getProduct({ sku })).available;
    const { order: placed } = await ada.orders.placeOrder(order(2));
    const orderId = placed?.orderId ?? "";
    await paid(orderId);
    for (let times = 0; times < 2; times += 1) {
      const { order: cancelled } = await ada.orders.cancelOrder({ orderId });
      expect(cancelled?.state).toBe(OrderState.CANCELLED);
    }
    const movements = async () =>
      (await shop.ledger()).filter(({ reference }) => reference === orderId).map(({ type }) => type);
    await expect.poll(movements, { timeout: 15_000 }).toEqual(["authorize", "capture", "refund"]);
    await expect.poll(async () => (await ada.catalog.getProduct({ sku })).available).toBe(before);
    const { orders } = await ada.orders.listOrders({});
    expect(orders.map((seen) => [seen.orderId, seen.state])).toEqual([[orderId, OrderState.CANCELLED]]);
  });

  test("a delivery that the warehouse imports is seen by those who follow the product", async () => {
    await using operator = await createOperator(shop.stack.addresses);
    const live = createClient(LiveService, createGrpcTransport({ baseUrl: shop.stack.addresses.edge }));
    const left = new AbortController();
    const heard: bigint[] = [];
    const listen = async () => {
      // Says what it wants once, and goes on listening.
      const requests = (async function* () {
        yield { subscribe: [sku] };
      })();
      for await (const { available } of live.follow(requests, { signal: left.signal })) heard.push(available ?? -1n);
    };
    const listening = listen().catch((error: unknown) => ConnectError.from(error).code);
    await expect.poll(() => heard.length).toBe(1);
    const { accepted } = await operator.client(InventoryService, "inventory").importStock(
      (async function* () {
        yield { importId: randomUUID(), firstLine: 1n, lines: [{ sku, quantity: 17n }] };
      })(),
    );
    expect(accepted).toBe(1n);
    await expect.poll(() => (heard.at(-1) ?? 0n) - (heard[0] ?? 0n)).toBe(17n);
    left.abort();
    expect(await listening).toBe(Code.Canceled);
  });

  test("bad input is the caller's fault: its own code, and a message that names the field or the limit", async () => {
    const ada = await shop.customer();
    const place = (change: object) =>
      JSON.stringify({
        idempotencyKey: randomUUID(),
        lines: [{ sku, quantity: 1 }],
        paymentMethod: "tok_visa",
        ...change,
      });
    const authorization = `Bearer ${ada.token}`;
    const [head = "", payload = ""] = ada.token.split(".");
    const foreign = (await ada.catalog.listProducts({ pageSize: 1 })).nextPageToken;
    const cases: [string, Response, number, RegExp][] = [
      [
        "unknown product",
        await post("OrderService/PlaceOrder", place({ lines: [{ sku: "NO-SUCH", quantity: 1 }] }), { authorization }),
        400,
        /lines\[0\]\.sku/,
      ],
      ["no lines", await post("OrderService/PlaceOrder", place({ lines: [] }), { authorization }), 400, /lines/],
      [
        "negative quantity",
        await post("OrderService/PlaceOrder", place({ lines: [{ sku, quantity: -1 }] }), { authorization }),
        400,
        /lines\[0\]\.quantity/,
      ],
      [
        "quantity of the wrong type",
        await post("OrderService/PlaceOrder", place({ lines: [{ sku, quantity: "many" }] }), { authorization }),
        400,
        /quantity/,
      ],
      [
        "no key",
        await post("OrderService/PlaceOrder", place({ idempotencyKey: "" }), { authorization }),
        400,
        /idempotency_key/,
      ],
      ["no token", await post("OrderService/PlaceOrder", place({})), 401, /token/],
      [
        "malformed token",
        await post("OrderService/PlaceOrder", place({}), { authorization: "Bearer x.y.z" }),
        401,
        /token/,
      ],
      [
        "forged token",
        await post("OrderService/PlaceOrder", place({}), { authorization: `Bearer ${head}.${payload}.AAAA` }),
        401,
        /token/,
      ],
      [
        "wrong content type",
        await post("CatalogService/ListProducts", "{}", { "content-type": "text/plain" }),
        415,
        /^/,
      ],
      ["5 MB", await post("CatalogService/GetProduct", JSON.stringify({ sku: "x".repeat(5_000_000) })), 429, /1048576/],
      [
        "invalid UTF-8",
        await post("CatalogService/GetProduct", Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])),
        400,
        /^/,
      ],
      ["page_size 10,000", await post("CatalogService/ListProducts", '{"pageSize":10000}'), 400, /page_size/],
      ["garbage page token", await post("CatalogService/ListProducts", '{"pageToken":"garbage"}'), 400, /page_token/],
      [
        "page token of another list",
        await post("CatalogService/ListProducts", JSON.stringify({ pageToken: `${foreign}x` })),
        400,
        /page_token/,
      ],
    ];
    for (const [name, response, status, message] of cases) {
      const text = await response.text();
      expect.soft(`${name}: ${response.status}`).toBe(`${name}: ${status}`);
      expect.soft(text, name).toMatch(message);
      expect.soft(text, name).not.toMatch(/node_modules|\.ts:|at async/);
    }
    const { order: short } = await ada.orders.placeOrder({ ...order(), lines: [{ sku, quantity: 1000 }] });
    expect(short?.state).toBe(OrderState.CANCELLED);
    expect(short?.cancelReason).toContain(sku);
    const unknown = await post("CatalogService/GetProduct", JSON.stringify({ sku, fieldOfTheFuture: 1 }));
    expect(unknown.status, "unknown JSON fields are ignored").toBe(200);

    const members = topology === "multi" ? ["edge", "catalog", "order"] : ["single"];
    for (const member of members) {
      const errors = (await shop.logs(member)).filter(({ level }) => level === "error");
      expect(errors, `${member} logs no internal error`).toEqual([]);
    }
  });

  test("a caller that goes away does not stop an order that is placed", async () => {
    const ada = await shop.customer();
    const request = order();
    await shop.fault({ kind: "delay", operation: "authorize", count: 1, delay_ms: 400 });
    const abort = new AbortController();
    const call = ada.orders.placeOrder(request, { signal: abort.signal }).catch(() => undefined);
    const rows = () =>
      shop.rows<{ order_id: string }>("order", "SELECT order_id FROM orders WHERE user_id = ?", [ada.userId]);
    await expect.poll(rows, { interval: 10 }).toHaveLength(1);
    abort.abort();
    await call;
    await paid((await rows())[0]?.order_id ?? "");
  });

  test("afterwards the books balance", async () => {
    await expect
      .poll(() => expectBooksToBalance(shop).then(() => "balanced", String), { timeout: 20_000 })
      .toBe("balanced");
  });
});
