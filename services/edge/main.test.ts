import { Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { requireEndUser } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OrderService as PublicOrderService, OrderState as PublicOrderState } from "../../gen/shop/api/v1/order_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestTokens, startTestEdge, type TestEdge, testOrigin } from "./testing.ts";

const resources = new AsyncDisposableStack();
const tokens = createTestTokens();
const watchers = { ended: 0 };
let jwksAsked = 0;
let edge: TestEdge;

const innards = "connect ECONNREFUSED 10.0.3.7:3306";

async function* watchOrder({ orderId }: { orderId: string }, { signal }: HandlerContext) {
  yield { order: { orderId, state: OrderState.PLACED } };
  yield { order: { orderId, state: OrderState.CONFIRMED } };
  if (orderId === "ord_short") return;
  if (orderId === "ord_broken") throw new Error(innards);
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  watchers.ended += 1;
}

const price = { currencyCode: "EUR", minorUnits: 450n };

beforeAll(async () => {
  edge = resources.use(
    await startTestEdge({
      user: (router) =>
        router.service(UserService, {
          register: ({ email }) => ({ user: { userId: "usr_1", email } }),
          logIn: () => {
            throw rpcError(Code.Unauthenticated, "wrong address or password", { reason: "BAD_CREDENTIALS" });
          },
          async getJwks() {
            jwksAsked += 1;
            return { jwksJson: await tokens.jwksJson() };
          },
        }),
      catalog: (router) =>
        router.service(CatalogService, {
          listProducts: () => ({ products: [{ sku: "CUP", name: "Cup", price, version: 3n }], nextPageToken: "more" }),
          getProduct({ sku }) {
            if (sku === "BROKEN") throw new Error(innards);
            if (sku === "NONE") throw rpcError(Code.NotFound, "no product NONE", { reason: "PRODUCT_NOT_FOUND" });
            return { product: { sku, name: "Cup", price, version: 3n } };
          },
        }),
      inventory: (router) =>
        router.service(InventoryService, {
          async batchGetStock({ skus }, { signal }) {
            if (skus[0] === "SLOW")
              await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
            return { levels: skus.map((sku) => ({ sku, available: 7n })) };
          },
        }),
      order: (router) =>
        router.service(OrderService, {
          placeOrder: () => ({
            order: { orderId: "ord_1", userId: requireEndUser().userId, state: OrderState.CONFIRMED },
          }),
          getOrder: ({ orderId }) => ({ order: { orderId, userId: requireEndUser().userId } }),
          watchOrder,
        }),
    }),
  );
});
afterAll(() => resources.disposeAsync());

async function post(method: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${edge.url}/shop.api.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text.startsWith("{") ? JSON.parse(text) : undefined,
  };
}

const bearer = async (lifetimeSeconds?: number) => ({
  authorization: `Bearer ${await tokens.issue("usr_1", lifetimeSeconds)}`,
});
const order = { idempotencyKey: "12345678", lines: [{ sku: "CUP", quantity: 1 }], paymentMethod: "tok_visa" };
const reasons = (json: { details?: { type: string; debug?: { reason?: string } }[] }) =>
  json.details?.map(({ debug }) => debug?.reason).filter((reason) => reason !== undefined);

describe("browsing", () => {
  test("lists products in JSON, and through GET", async () => {
    const { status, json } = await post("CatalogService/ListProducts", {});
    expect([status, json]).toEqual([
      200,
      {
        products: [
          {
            sku: "CUP",
            name: "Cup",
            price: { currencyCode: "EUR", minorUnits: "450" },
            picturePath: "/pictures/CUP.svg",
          },
        ],
        nextPageToken: "more",
      },
    ]);
    const get = await fetch(
      `${edge.url}/shop.api.v1.CatalogService/ListProducts?encoding=json&message=%7B%7D&connect=v1`,
    );
    expect(await get.json()).toEqual(json);
  });

  test("shows what is left of a product", async () => {
    expect((await post("CatalogService/GetProduct", { sku: "CUP" })).json).toMatchObject({ available: "7" });
  });

  test("shows a product without stock when inventory is slow, and soon", async () => {
    const startedAt = performance.now();
    const { status, json } = await post("CatalogService/GetProduct", { sku: "SLOW" });
    expect([status, json.product.sku, json.available]).toEqual([200, "SLOW", undefined]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

describe("errors", () => {
  test("a domain error passes with its details and the request's id", async () => {
    const { status, headers, json } = await post("CatalogService/GetProduct", { sku: "NONE" });
    expect([status, json.code, json.message, reasons(json)]).toEqual([
      404,
      "not_found",
      "no product NONE",
      ["PRODUCT_NOT_FOUND"],
    ]);
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
  });

  test("a failed log-in is the caller's to see", async () => {
    const { status, json } = await post("AccountService/LogIn", { email: "a@b.test", password: "x" });
    expect([status, reasons(json)]).toEqual([401, ["BAD_CREDENTIALS"]]);
  });

  test("what breaks inside stays inside: the caller gets an id", async () => {
    const { status, headers, text, json } = await post("CatalogService/GetProduct", { sku: "BROKEN" });
    expect([status, json.code]).toEqual([500, "internal"]);
    expect(json.message).toContain(headers.get("x-request-id"));
    for (const secret of ["10.0.3.7", "127.0.0.1", "at ", ".ts"]) expect(text).not.toContain(secret);
  });

  test.each<[string, string, unknown, number, RegExp]>([
    ["a page too large", "CatalogService/ListProducts", { pageSize: 10_000 }, 400, /page_size/],
    ["an order without lines", "OrderService/PlaceOrder", { ...order, lines: [] }, 400, /lines/],
    ["an id that is none", "OrderService/GetOrder", { orderId: "ord_é" }, 400, /order_id/],
    ["no JSON", "CatalogService/ListProducts", "{", 400, /JSON/i],
    [
      "a body of 5 MB",
      "CatalogService/ListProducts",
      JSON.stringify({ pageToken: "x".repeat(5e6) }),
      429,
      /larger than|limit|size/,
    ],
  ])("names what is wrong with %s", async (_, method, body, status, words) => {
    const answer = await post(method, body, await bearer());
    expect([answer.status, answer.json.message]).toEqual([status, expect.stringMatching(words)]);
  });
});

describe("access tokens", () => {
  test("let the customer through to the service behind", async () => {
    const { status, json } = await post("OrderService/PlaceOrder", order, await bearer());
    expect([status, json]).toEqual([200, { order: { orderId: "ord_1", state: "ORDER_STATE_CONFIRMED" } }]);
  });

  test("are asked for where a method needs one", async () => {
    const { status, json } = await post("OrderService/PlaceOrder", order);
    expect([status, reasons(json)]).toEqual([401, ["TOKEN_MISSING"]]);
  });

  test.each([
    ["malformed", async () => ({ authorization: "Bearer nonsense" }), "TOKEN_INVALID"],
    ["expired", () => bearer(-60), "TOKEN_EXPIRED"],
  ])("that are %s are refused with the reason, on open methods too", async (_, headers, reason) => {
    for (const [method, body] of [
      ["OrderService/PlaceOrder", order],
      ["CatalogService/ListProducts", {}],
    ] as const) {
      const { status, json } = await post(method, body, await headers());
      expect([status, json.code, reasons(json)]).toEqual([401, "unauthenticated", [reason]]);
    }
  });

  test("nobody outside can name an end user by header", async () => {
    const { status } = await post("OrderService/PlaceOrder", order, { "weft-end-user": "user=usr_1&scope=customer" });
    expect(status).toBe(401);
  });

  test("are verified with keys that were asked for once", async () => {
    for (let i = 0; i < 10; i++) await post("OrderService/GetOrder", { orderId: "ord_1" }, await bearer());
    expect(jwksAsked).toBe(1);
  });
});

describe("WatchOrder", () => {
  const transports = [
    ["Connect", () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" })],
    ["gRPC-Web", () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: "1.1" })],
  ] as const;

  test.each(transports)("passes each change on over %s, to the end", async (_, transport) => {
    const client = createClient(PublicOrderService, transport());
    const states: unknown[] = [];
    for await (const { order } of client.watchOrder({ orderId: "ord_short" }, { headers: await bearer() })) {
      states.push(order?.state);
    }
    expect(states).toEqual([PublicOrderState.PLACED, PublicOrderState.CONFIRMED]);
  });

  test.each(transports)("ends the inner call when the caller over %s leaves", async (_, transport) => {
    const client = createClient(PublicOrderService, transport());
    const before = watchers.ended;
    const caller = new AbortController();
    const options = { headers: await bearer(), signal: caller.signal };
    const read = async () => {
      for await (const { order } of client.watchOrder({ orderId: "ord_1" }, options)) {
        if (order?.state === PublicOrderState.CONFIRMED) caller.abort();
      }
    };
    await expect(read()).rejects.toMatchObject({ code: Code.Canceled });
    await expect.poll(() => watchers.ended - before, { timeout: 2_000 }).toBe(1);
  });

  test.each(transports)("over %s carries the request's id, and refuses a bad token", async (_, transport) => {
    const client = createClient(PublicOrderService, transport());
    let requestId: string | null = null;
    const options = {
      headers: await bearer(),
      onHeader: (headers: Headers) => (requestId = headers.get("x-request-id")),
    };
    for await (const _ of client.watchOrder({ orderId: "ord_short" }, options));
    expect(requestId).toMatch(/^[0-9a-f]{32}$/);
    const read = async () => {
      for await (const _ of client.watchOrder({ orderId: "ord_short" }, { headers: await bearer(-60) }));
    };
    await expect(read()).rejects.toMatchObject({ code: Code.Unauthenticated });
  });

  test("hides what breaks inside after the first answer", async () => {
    const client = createClient(PublicOrderService, transports[0][1]());
    const read = async () => {
      for await (const _ of client.watchOrder({ orderId: "ord_broken" }, { headers: await bearer() }));
    };
    const error = await read().then(() => undefined, ConnectError.from);
    expect([error?.code, error?.message]).toEqual([Code.Internal, expect.not.stringContaining("10.0.3.7")]);
  });
});

describe("pages", () => {
  const preflight = (origin: string) =>
    fetch(`${edge.url}/shop.api.v1.OrderService/PlaceOrder`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
    });

  test("of a named origin may call, and read the request's id", async () => {
    const { headers } = await preflight(testOrigin);
    expect(headers.get("access-control-allow-origin")).toBe(testOrigin);
    expect(headers.get("access-control-allow-headers")?.toLowerCase()).toContain("authorization");
    const answer = await post("CatalogService/ListProducts", {}, { origin: testOrigin });
    expect(answer.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("x-request-id");
  });

  test("of another origin may not", async () => {
    expect((await preflight("https://evil.test")).headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("with services away", () => {
  test("browsing goes on without inventory", async () => {
    await edge.stop("inventory");
    const { status, json } = await post("CatalogService/GetProduct", { sku: "CUP" });
    expect([status, json.product.sku, json.available]).toEqual([200, "CUP", undefined]);
  });

  test("tokens are verified without the user service, by the keys at hand", async () => {
    await edge.stop("user");
    const { status } = await post("OrderService/GetOrder", { orderId: "ord_1" }, await bearer());
    expect(status).toBe(200);
  });

  test("a call to the service that is away is UNAVAILABLE, and says when to try again, not where", async () => {
    const { status, json, text } = await post("AccountService/Register", {
      ...{ email: "a@b.test", password: "12345678", displayName: "A" },
    });
    expect([status, json.code]).toEqual([503, "unavailable"]);
    expect(text).not.toContain("127.0.0.1");
  });
});
