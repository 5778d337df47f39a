import { randomUUID } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { runAs } from "@weft/mesh/context";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../../gen/shop/api/v1/account_pb.ts";
import { AssortmentService } from "../../../gen/shop/api/v1/assortment_pb.ts";
import { CartService } from "../../../gen/shop/api/v1/cart_pb.ts";
import { CatalogService } from "../../../gen/shop/api/v1/catalog_pb.ts";
import { LiveService } from "../../../gen/shop/api/v1/live_pb.ts";
import { OrderService } from "../../../gen/shop/api/v1/order_pb.ts";
import { ReportService } from "../../../gen/shop/api/v1/report_pb.ts";
import { WarehouseService } from "../../../gen/shop/api/v1/warehouse_pb.ts";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderService as InnerOrderService } from "../../../gen/shop/order/v1/order_pb.ts";
import { SEED_PASSWORD } from "../seed-data.ts";
import { badDeliveries, type Mistake, operatorMistakes } from "./bad-input-inside.ts";
import {
  accounts,
  type Body,
  calls,
  carts,
  invalid,
  missing,
  orders,
  type PublicCase,
  searches,
  sku,
  staff,
  type Who,
} from "./bad-input-public.ts";
import { createOperator, type Operator } from "./operator.ts";
import { type Shop, startShop } from "./shop.ts";

const clerk = { endUser: { userId: "usr_clerk", scopes: ["warehouse"] } };
const publicCases: [string, readonly PublicCase[]][] = [
  ["searching and lists", searches],
  ["carts", carts],
  ["profiles", accounts],
  ["orders", orders],
  ["what staff do", staff],
  ["calls of any kind", calls],
];

describe("bad input is the caller's fault: its own code, and a message that names the field or the limit", () => {
  let shop: Shop;
  let operator: Operator;
  let ada: Awaited<ReturnType<Shop["customer"]>>;
  const tokens: Record<Who, string> = { nobody: "", clerk: "", manager: "" };
  beforeAll(async () => {
    shop = await startShop("multi");
    operator = await createOperator(shop.stack.addresses);
    ada = await shop.customer();
    for (const who of ["clerk", "manager"] as const) {
      const { accessToken } = await ada.accounts.logIn({ email: `${who}@shop.test`, password: SEED_PASSWORD });
      tokens[who] = `Bearer ${accessToken}`;
    }
  }, 180_000);
  afterAll(async () => {
    await operator?.[Symbol.asyncDispose]();
    await shop?.[Symbol.asyncDispose]();
  });

  const post = async (method: string, body: Body, by: PublicCase[5] = {}) => {
    const headers = typeof by === "string" ? { authorization: tokens[by] } : by;
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(`${shop.stack.addresses.edge}/shop.api.v1.${method}`, {
      method: "POST",
      headers: withoutEmpty({ "content-type": "application/json", authorization: `Bearer ${ada.token}`, ...headers }),
      body: raw ? body : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  const expectAnswer = (
    name: string,
    { status, text }: { status: number; text: string },
    answer: string,
    names: RegExp,
  ) => {
    const { code = "-", message = text } = text.startsWith("{") ? JSON.parse(text) : {};
    expect.soft(`${name}: ${status} ${code}`).toBe(`${name}: ${answer}`);
    expect.soft(message, name).toMatch(names);
    expect.soft(text, name).not.toMatch(/node_modules|\.ts:|at async/);
  };

  test.each(publicCases)("from outside: %s", async (_, cases) => {
    for (const [name, method, body, answer, names, by] of cases) {
      expectAnswer(`${method}, ${name}`, await post(method, body, by), answer, names);
    }
  });

  test("every public method that came after the first has its lines here", () => {
    const first = ["Register", "LogIn", "GetProduct", "PlaceOrder", "GetOrder", "WatchOrder"];
    const services: DescService[] = [
      AccountService,
      CatalogService,
      CartService,
      OrderService,
      LiveService,
      WarehouseService,
      ReportService,
      AssortmentService,
    ];
    const all = services.flatMap(({ name, methods }) => methods.map((method) => `${name}/${method.name}`));
    const told = new Set(publicCases.flatMap(([, cases]) => cases.map(([, method]) => method)));
    expect(all.filter((method) => !told.has(method) && !first.some((each) => method.endsWith(`/${each}`)))).toEqual([]);
  });

  test("from outside: what depends on what is there", async () => {
    const bob = await shop.customer();
    const lines = [{ sku, quantity: 1 }];
    const placed = await bob.orders.placeOrder({ idempotencyKey: randomUUID(), lines, paymentMethod: "tok_visa" });
    const orderId = placed.order?.orderId ?? "";
    expectAnswer("another's order", await post("OrderService/CancelOrder", { orderId }), missing, new RegExp(orderId));
    const { nextPageToken: pageToken } = await ada.catalog.listProducts({ pageSize: 1 });
    for (const [method, body] of [
      ["CatalogService/SearchProducts", { query: "coffee", pageToken }],
      ["CatalogService/ListProducts", { category: "coffee-beans", pageToken }],
      ["OrderService/ListOrders", { pageToken }],
    ] as const) {
      expectAnswer(`${method}, a token of another list`, await post(method, body), invalid, /page_token/);
    }
    const withKey = { "idempotency-key": randomUUID() };
    const [one, two] = [1, 2].map((quantity) => ({ sku, quantity }));
    await post("CartService/SetCartItem", one ?? {}, withKey);
    const reused = await post("CartService/SetCartItem", two ?? {}, withKey);
    expectAnswer("a key of another request", reused, "409 already_exists", /Idempotency-Key was used for another/);
    const authorization = `Bearer ${bob.token}`;
    await expect
      .poll(() => shop.rows("order", "SELECT state FROM orders WHERE order_id = ?", [orderId]), { timeout: 15_000 })
      .toEqual([{ state: "PAID" }]);
    const inner = operator.client(InnerOrderService, "order");
    await runAs(clerk, () => inner.shipOrder({ orderId, trackingNumber: "T-1" }));
    const late = await post("OrderService/CancelOrder", { orderId }, { authorization });
    expectAnswer("an order that has left the warehouse", late, "400 failed_precondition", /SHIPPED/);
  });

  test("from outside: a 101st product in a cart", async () => {
    const { products, nextPageToken } = await ada.catalog.listProducts({ pageSize: 100 });
    const [last] = (await ada.catalog.listProducts({ pageSize: 1, pageToken: nextPageToken })).products;
    const visitorCartId = randomUUID();
    const put = (which = "") => post("CartService/SetCartItem", { sku: which, quantity: 1, visitorCartId }, "nobody");
    for (const product of products) expect((await put(product.sku)).status).toBe(200);
    expectAnswer("one more", await put(last?.sku), "400 failed_precondition", /100/);
  });

  test("from outside: a GET that changes something, and one that cannot be read", async () => {
    const get = async (method: string, query: string) => {
      const response = await fetch(`${shop.stack.addresses.edge}/shop.api.v1.${method}?connect=v1&${query}`);
      return { status: response.status, text: await response.text() };
    };
    const no = await get("OrderService/CancelOrder", "encoding=json&message=%7B%22orderId%22%3A%22ord_1%22%7D");
    expectAnswer("a GET that cancels", no, "405 -", /^$/);
    const read = "CatalogService/SearchProducts";
    expectAnswer("no JSON", await get(read, "encoding=json&message=%7B"), invalid, /JSON/i);
    expectAnswer("no encoding", await get(read, "message=%7B%7D"), "415 -", /^$/);
    expectAnswer(
      "no base64",
      await get(read, "encoding=proto&base64=1&message=%21%21"),
      invalid,
      /SearchProductsRequest/,
    );
  });

  test("from outside: following products", async () => {
    const live = createClient(LiveService, createGrpcTransport({ baseUrl: shop.stack.addresses.edge }));
    const follow = async (...requests: { subscribe?: string[]; unsubscribe?: string[] }[]) => {
      const left = AbortSignal.timeout(10_000);
      const messages = (async function* () {
        yield* requests;
      })();
      const heard = async () => {
        for await (const _ of live.follow(messages, { signal: left })) {
          // Goes on until it is refused.
        }
      };
      return await failureOf(heard());
    };
    const many = Array.from({ length: 101 }, (_, index) => `P${index}`);
    const cases: [ConnectError, Code, RegExp][] = [
      [await follow({ subscribe: ["a b"] }), Code.InvalidArgument, /subscribe\[0\]/],
      [await follow({ subscribe: [sku], unsubscribe: [""] }), Code.InvalidArgument, /unsubscribe\[0\]/],
      [await follow({ subscribe: many }), Code.InvalidArgument, /subscribe.*100/],
      [await follow({ subscribe: many.slice(1) }, { subscribe: [sku] }), Code.ResourceExhausted, /100 products/],
    ];
    for (const [error, code, names] of cases) {
      expect.soft([error.code, error.rawMessage]).toEqual([code, expect.stringMatching(names)]);
    }
  });

  test("from outside: a delivery that no import can be made of", async () => {
    const transport = createGrpcTransport({ baseUrl: shop.stack.addresses.edge });
    const warehouse = createClient(WarehouseService, transport);
    const headers = { authorization: tokens.clerk };
    await expectMistakes(badDeliveries((batches) => warehouse.importStock(batches, { headers })));
  });

  test("within the mesh: an operator's mistakes", async () => {
    await expectMistakes(operatorMistakes(operator, ada.userId));
  });

  test("within the mesh: bad lines of a delivery are named, the good ones are taken", async () => {
    const lines = [
      { sku, quantity: 1n },
      { sku: "", quantity: 1n },
      { sku: "no sku", quantity: 1n },
      { sku: "NO-SUCH", quantity: 1n },
      { sku, quantity: 0n },
      { sku, quantity: 2n ** 62n },
    ];
    const { accepted, rejected } = await operator.client(InventoryService, "inventory").importStock(
      (async function* () {
        yield { importId: `import-${randomUUID()}`, firstLine: 1n, lines };
      })(),
    );
    expect([accepted, ...rejected.map(({ line, reason }) => `${line}: ${reason}`)]).toEqual([
      1n,
      "2: no SKU",
      "3: malformed SKU",
      "4: unknown SKU",
      "5: quantity 0 is not above 0",
      `6: quantity ${2n ** 62n} is above 1000000`,
    ]);
  });

  test("none of it is an internal error of anybody", async () => {
    for (const { name } of shop.stack.status().filter(({ logFile }) => logFile !== undefined)) {
      const errors = (await shop.logs(name)).filter(({ level }) => level === "error");
      expect(errors, `${name} logs no internal error`).toEqual([]);
    }
  });
});

function withoutEmpty(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""));
}

async function expectMistakes(mistakes: readonly Mistake[]): Promise<void> {
  for (const [name, call, names, code = Code.InvalidArgument] of mistakes) {
    const error = await failureOf(call());
    expect.soft(`${name}: ${Code[error.code]}`).toBe(`${name}: ${Code[code]}`);
    expect.soft(error.rawMessage, name).toMatch(names);
  }
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call succeeded");
  return error;
}
