import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { requireEndUser } from "@weft/mesh/context";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  PlaceOrderRequestSchema,
  PlaceOrderResponseSchema,
  OrderService as PublicOrderService,
  OrderState as PublicOrderState,
} from "../../gen/shop/api/v1/order_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestTokens, startTestEdge, type TestEdge } from "./testing.ts";

const resources = new AsyncDisposableStack();
const tokens = createTestTokens();
const placed: unknown[] = [];
let edge: TestEdge;
let authorization: string;

const request = {
  idempotencyKey: "12345678",
  lines: [{ sku: "CUP", quantity: 2 }],
  paymentMethod: "tok_visa",
};

beforeAll(async () => {
  edge = resources.use(
    await startTestEdge({
      user: (router) => router.service(UserService, { getJwks: async () => ({ jwksJson: await tokens.jwksJson() }) }),
      catalog: (router) =>
        router.service(CatalogService, {
          listProducts: ({ category }) => ({ products: [{ sku: "CUP", name: "Cup", category }] }),
        }),
      order: (router) =>
        router.service(OrderService, {
          placeOrder({ idempotencyKey, lines, paymentMethod }) {
            const { userId } = requireEndUser();
            placed.push([
              userId,
              idempotencyKey,
              lines.map(({ sku, quantity }) => `${quantity} ${sku}`),
              paymentMethod,
            ]);
            return { order: { orderId: "ord_1", state: OrderState.CONFIRMED } };
          },
          listOrders: () => ({
            orders: [{ orderId: "ord_1", state: OrderState.SHIPPED, itemCount: 2 }],
            nextPageToken: requireEndUser().userId,
          }),
          cancelOrder: ({ orderId }) => ({ order: { orderId, state: OrderState.CANCELLED } }),
          getOrder: ({ orderId }) => ({
            order: { orderId, state: OrderState.DELIVERED, trackingNumber: "T-1" },
          }),
        }),
    }),
  );
  authorization = `Bearer ${await tokens.issue("usr_1")}`;
});
afterAll(() => resources.disposeAsync());
beforeEach(() => void placed.splice(0));

const expected = [["usr_1", "12345678", ["2 CUP"], "tok_visa"]];

describe("an order is placed", () => {
  test("by JSON", async () => {
    const response = await fetch(`${edge.url}/shop.api.v1.OrderService/PlaceOrder`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization },
      body: JSON.stringify(request),
    });
    expect(await response.json()).toEqual({ order: { orderId: "ord_1", state: "ORDER_STATE_CONFIRMED" } });
    expect(placed).toEqual(expected);
  });

  test("by a gRPC client that knows nothing of Connect", async () => {
    const client = new Client(new URL(edge.url).host, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", authorization);
    const answer = await new Promise<ReturnType<typeof readAnswer>>((resolve, reject) => {
      client.makeUnaryRequest(
        "/shop.api.v1.OrderService/PlaceOrder",
        (message: typeof request) =>
          Buffer.from(toBinary(PlaceOrderRequestSchema, create(PlaceOrderRequestSchema, message))),
        readAnswer,
        request,
        metadata,
        (error, value) => (value === undefined ? reject(error) : resolve(value)),
      );
    });
    client.close();
    expect(answer.order).toMatchObject({ orderId: "ord_1", state: PublicOrderState.CONFIRMED });
    expect(placed).toEqual(expected);
  });

  const transports = (["1.1", "2"] as const).flatMap((httpVersion) => [
    [`gRPC-Web over HTTP/${httpVersion}`, () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion })] as const,
    [`Connect over HTTP/${httpVersion}`, () => createConnectTransport({ baseUrl: edge.url, httpVersion })] as const,
  ]);
  test.each([["gRPC", () => createGrpcTransport({ baseUrl: edge.url })] as const, ...transports])(
    "by %s",
    async (_name, createTransport) => {
      const client = createClient(PublicOrderService, createTransport());
      const { order } = await client.placeOrder(request, { headers: { authorization } });
      expect(order).toMatchObject({ orderId: "ord_1", state: PublicOrderState.CONFIRMED });
      expect(placed).toEqual(expected);
    },
  );
});

function readAnswer(bytes: Buffer) {
  return fromBinary(PlaceOrderResponseSchema, bytes);
}

describe("a Connect GET", () => {
  const get = (method: string, message: unknown) => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(message) });
    return fetch(`${edge.url}/shop.api.v1.${method}?${query}`, { headers: { authorization } });
  };

  test("reads", async () => {
    const response = await get("CatalogService/ListProducts", { category: "tea" });
    expect(await response.json()).toMatchObject({ products: [{ sku: "CUP", category: "tea" }] });
    const orders = await get("OrderService/ListOrders", {});
    expect(await orders.json()).toEqual({
      orders: [{ orderId: "ord_1", state: "ORDER_STATE_SHIPPED", itemCount: 2 }],
      nextPageToken: "usr_1",
    });
  });

  test("changes nothing", async () => {
    expect((await get("OrderService/PlaceOrder", request)).status).toBe(405);
    expect((await get("OrderService/CancelOrder", { orderId: "ord_1" })).status).toBe(405);
    expect(placed).toEqual([]);
  });

  test("that cannot be read is the caller's fault", async () => {
    const query = "connect=v1&encoding=proto&base64=1&message=%21%21";
    const response = await fetch(`${edge.url}/shop.api.v1.CatalogService/ListProducts?${query}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        code: "invalid_argument",
        message: "the request is not a valid shop.api.v1.ListProductsRequest message",
        details: expect.anything(),
      },
    ]);
  });

  test("goes through the same checks as all calls", async () => {
    const response = await get("CatalogService/ListProducts", { pageSize: 101 });
    expect([response.status, await response.json()]).toEqual([
      400,
      { code: "invalid_argument", message: expect.stringMatching(/page_size/), details: expect.anything() },
    ]);
  });
});

test("an order is cancelled, and one that has arrived shows its parcel's number", async () => {
  const client = createClient(PublicOrderService, createGrpcTransport({ baseUrl: edge.url }));
  const options = { headers: { authorization } };
  expect((await client.cancelOrder({ orderId: "ord_1" }, options)).order?.state).toBe(PublicOrderState.CANCELLED);
  expect((await client.getOrder({ orderId: "ord_1" }, options)).order).toMatchObject({
    state: PublicOrderState.DELIVERED,
    trackingNumber: "T-1",
  });
});
