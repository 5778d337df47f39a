import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { type CallOptions, Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  OrderService,
  OrderState,
  PlaceOrderRequestSchema,
  PlaceOrderResponseSchema,
  WatchOrderRequestSchema,
  WatchOrderResponseSchema,
} from "../../../gen/shop/api/v1/order_pb.ts";
import { type Shop, startShop } from "./shop.ts";
import { locateTool } from "./tool.ts";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../../", import.meta.url));
const sku = "COF-ESPRESSO-250";
const confirmed = "ORDER_STATE_CONFIRMED";

/** The browser's order is placed in storefront.test.ts. */
describe("from outside an order is placed, and confirmed", () => {
  let shop: Shop;
  let edge: string;
  let customer: Awaited<ReturnType<Shop["customer"]>>;
  beforeAll(async () => {
    shop = await startShop("multi");
    edge = shop.stack.addresses.edge;
    customer = await shop.customer();
  }, 180_000);
  afterAll(() => shop?.[Symbol.asyncDispose]());

  const request = () => ({ idempotencyKey: randomUUID(), lines: [{ sku, quantity: 1 }], paymentMethod: "tok_visa" });

  describe.each([
    ["HTTP/1.1", "1.1", "--http1.1"],
    ["HTTP/2 without TLS", "2", "--http2-prior-knowledge"],
  ])("by curl over %s", (_name, version, flag) => {
    /** What curl prints, the HTTP version last. */
    const curl = async (...args: string[]) => {
      const always = "--silent --show-error --fail-with-body --noproxy * --max-time 15".split(" ");
      const told = ["--write-out", "\n%{http_version}"];
      const { stdout } = await run(await locateTool("curl"), [...always, ...told, flag, ...args]);
      const [answer = "", spoken] = stdout.split("\n");
      expect(spoken).toBe(version);
      return JSON.parse(answer);
    };
    const post = (method: string, body: object, ...headers: string[]) =>
      curl(
        ...["content-type: application/json", ...headers].flatMap((header) => ["--header", header]),
        ...["--data", JSON.stringify(body), `${edge}/shop.api.v1.${method}`],
      );
    const get = (method: string, message: object, ...headers: string[]) =>
      curl(
        ...headers.flatMap((header) => ["--header", header]),
        ...["--get", "--data", "connect=v1", "--data", "encoding=json"],
        ...["--data-urlencode", `message=${JSON.stringify(message)}`, `${edge}/shop.api.v1.${method}`],
      );

    test("from opening an account to reading the order with a GET", async () => {
      const email = `${randomUUID()}@example.com`;
      await post("AccountService/Register", { email, password: "correct horse", displayName: "Ada" });
      const { accessToken } = await post("AccountService/LogIn", { email, password: "correct horse" });
      const authorization = `authorization: Bearer ${accessToken}`;
      const { product, available } = await get("CatalogService/GetProduct", { sku });
      expect([product.sku, Number(available) > 0]).toEqual([sku, true]);
      const { order } = await post("OrderService/PlaceOrder", request(), authorization);
      expect(order.state).toBe(confirmed);
      expect(order.total).toEqual(product.price);
      const read = await get("OrderService/GetOrder", { orderId: order.orderId }, authorization);
      expect([confirmed, "ORDER_STATE_PAID"]).toContain(read.order.state);
    });
  });

  test("by a gRPC client that knows nothing of Connect, which then watches it until it is paid", async () => {
    const client = new Client(new URL(edge).host, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${customer.token}`);
    const options: CallOptions = { deadline: Date.now() + 15_000 };
    const service = "/shop.api.v1.OrderService";
    const encodePlace = (message: ReturnType<typeof request>) =>
      Buffer.from(toBinary(PlaceOrderRequestSchema, create(PlaceOrderRequestSchema, message)));
    const decodePlace = (bytes: Buffer) => fromBinary(PlaceOrderResponseSchema, bytes);
    const { order } = await new Promise<ReturnType<typeof decodePlace>>((resolve, reject) => {
      const done = (error: Error | null, answer?: ReturnType<typeof decodePlace>) =>
        answer === undefined ? reject(error) : resolve(answer);
      client.makeUnaryRequest(`${service}/PlaceOrder`, encodePlace, decodePlace, request(), metadata, options, done);
    });
    expect(order?.state).toBe(OrderState.CONFIRMED);

    const encodeWatch = (orderId: string) =>
      Buffer.from(toBinary(WatchOrderRequestSchema, create(WatchOrderRequestSchema, { orderId })));
    const decodeWatch = (bytes: Buffer) => fromBinary(WatchOrderResponseSchema, bytes).order?.state;
    const watch: ClientReadableStream<OrderState | undefined> = client.makeServerStreamRequest(
      ...([`${service}/WatchOrder`, encodeWatch, decodeWatch, order?.orderId ?? "", metadata, options] as const),
    );
    // Iterating ends it: whoever has seen enough leaves.
    for await (const state of watch) if (state === OrderState.PAID) break;
    client.close();
  });

  test("by a gRPC-Web client, which then watches it until it is paid", async () => {
    const orders = createClient(OrderService, createGrpcWebTransport({ baseUrl: edge, defaultTimeoutMs: 15_000 }));
    const headers = { authorization: `Bearer ${customer.token}` };
    const { order } = await orders.placeOrder(request(), { headers });
    expect(order?.state).toBe(OrderState.CONFIRMED);
    const states: (OrderState | undefined)[] = [];
    for await (const change of orders.watchOrder({ orderId: order?.orderId ?? "" }, { headers })) {
      states.push(change.order?.state);
      if (states.at(-1) === OrderState.PAID) break;
    }
    expect(states.at(-1)).toBe(OrderState.PAID);
  });

  test.each(["grpc", "grpcweb", "connect"])(
    "by buf curl, a client in another language, speaking %s",
    async (protocol) => {
      const { stdout } = await run(
        "buf",
        [
          ...["curl", "--schema", "proto", "--protocol", protocol, "--http2-prior-knowledge"],
          ...["--header", `authorization: Bearer ${customer.token}`, "--data", JSON.stringify(request())],
          `${edge}/shop.api.v1.OrderService/PlaceOrder`,
        ],
        { cwd: repository, timeout: 15_000 },
      );
      expect(JSON.parse(stdout).order.state).toBe(confirmed);
    },
  );
});
