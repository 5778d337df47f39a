import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { requireEndUser } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { AssortmentService } from "../../gen/shop/api/v1/assortment_pb.ts";
import { OrderState } from "../../gen/shop/api/v1/order_pb.ts";
import { ReportService } from "../../gen/shop/api/v1/report_pb.ts";
import { WarehouseService } from "../../gen/shop/api/v1/warehouse_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderState as InnerOrderState, OrderService } from "../../gen/shop/order/v1/order_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestTokens, startTestEdge, type TestEdge } from "./testing.ts";

const resources = new AsyncDisposableStack();
const tokens = createTestTokens();
/** What reached the services behind, and in whose name. */
const asked: unknown[] = [];
let edge: TestEdge;
let leaderboardAway = false;

const noon = timestampFromMs(Date.parse("2026-11-22T12:00:00Z"));
const order = (orderId: string, state: InnerOrderState) => ({
  ...{ orderId, state, userId: "usr_of_somebody", trackingNumber: "DHL-1" },
  lines: [{ sku: "CUP", name: "Cup", quantity: 2, unitPrice: { currencyCode: "EUR", minorUnits: 450n } }],
  total: { currencyCode: "EUR", minorUnits: 900n },
  history: [{ state: InnerOrderState.PLACED }, { state, enteredAt: noon }],
});
const parcel = (orderId: string, state: OrderState) => ({
  ...{ orderId, state, trackingNumber: "DHL-1", stateSince: noon },
  lines: [{ sku: "CUP", name: "Cup", quantity: 2 }],
});

beforeAll(async () => {
  edge = resources.use(
    await startTestEdge({
      user: (router) => router.service(UserService, { getJwks: async () => ({ jwksJson: await tokens.jwksJson() }) }),
      catalog: (router) =>
        router.service(CatalogService, {
          batchGetProducts: ({ skus }) => ({
            products: skus.filter((sku) => sku !== "GONE").map((sku) => ({ sku, name: `The ${sku}` })),
          }),
          updateProduct({ sku, name, description, category }) {
            asked.push([requireEndUser().userId, sku, name, description, category]);
            return { product: { sku, name: name ?? "Cup", version: 4n } };
          },
          changePrice({ sku, price }) {
            if (sku === "NONE") throw rpcError(Code.NotFound, "no product NONE", { reason: "PRODUCT_NOT_FOUND" });
            asked.push([requireEndUser().userId, sku, price?.minorUnits]);
            return { product: { sku, name: "Cup", ...(price && { price }) } };
          },
        }),
      order: (router) =>
        router.service(OrderService, {
          listOrdersInState({ state, newestFirst, pageSize, pageToken }) {
            asked.push([requireEndUser().userId, state, newestFirst, pageSize, pageToken]);
            return { orders: [order("ord_1", state)], nextPageToken: "more" };
          },
          shipOrder({ orderId, trackingNumber }) {
            asked.push([requireEndUser().userId, orderId, trackingNumber]);
            return { order: order(orderId, InnerOrderState.SHIPPED) };
          },
          deliverOrder({ orderId }) {
            if (orderId === "ord_paid")
              throw rpcError(Code.FailedPrecondition, "it is PAID", { reason: "ORDER_STATE" });
            return { order: order(orderId, InnerOrderState.DELIVERED) };
          },
        }),
      inventory: (router) =>
        router.service(InventoryService, {
          async importStock(batches) {
            let accepted = 0n;
            try {
              for await (const { importId, firstLine, lines } of batches) {
                asked.push([requireEndUser().userId, importId, firstLine, lines.map(({ sku }) => sku)]);
                accepted += BigInt(lines.length);
              }
            } catch {
              asked.push("broken off");
              throw rpcError(Code.Aborted, "broken off");
            }
            asked.push("whole");
            return { accepted, rejectedCount: 1n, rejected: [{ line: 2n, sku: "NONE", reason: "unknown SKU" }] };
          },
        }),
      analytics: (router) =>
        router.service(AnalyticsService, {
          getFunnel: () => ({ productViews: 900n, cartUpdates: 90n, ordersPlaced: 9n, ordersPaid: 8n }),
          listRevenue: ({ currencyCode }) => ({
            minutes: [{ minute: noon, captured: { currencyCode, minorUnits: 4450n } }],
          }),
          listTopProducts: ({ pageSize }) => ({
            products: [
              { sku: "CUP", quantity: 12n },
              { sku: "GONE", quantity: 3n },
            ].slice(0, pageSize || 10),
            nextPageToken: "more",
            degraded: leaderboardAway,
          }),
        }),
    }),
  );
});
afterAll(() => resources.disposeAsync());
afterEach(() => {
  asked.length = 0;
  leaderboardAway = false;
});

const transport = () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1", useHttpGet: true });
const as = async (scope: string) => ({
  headers: { authorization: `Bearer ${await tokens.issue("usr_staff", 900, `customer ${scope}`)}` },
});
const failure = (call: Promise<unknown>) =>
  call.then(() => Promise.reject(new Error("it succeeded")), ConnectError.from);
const warehouse = () => createClient(WarehouseService, transport());
const reports = () => createClient(ReportService, transport());
const assortment = () => createClient(AssortmentService, transport());

const day = { day: "2026-11-22" };
const range = { from: noon, until: noon, currencyCode: "EUR" };
const price = { currencyCode: "EUR", minorUnits: 500n };
type Options = Awaited<ReturnType<typeof as>>;
async function* delivery(count: number, importId = "delivery-1") {
  for (let line = 1n; line <= count; line += 1n) {
    yield { importId, firstLine: line, lines: [{ sku: `CUP-${line}`, quantity: 3n }] };
  }
}
const calls: readonly (readonly [name: string, scope: string, (options?: Options) => Promise<unknown>])[] = [
  ["ListParcels", "warehouse", (options) => warehouse().listParcels({ state: OrderState.PAID }, options)],
  ["ShipOrder", "warehouse", (options) => warehouse().shipOrder({ orderId: "ord_1", trackingNumber: "A-1" }, options)],
  ["DeliverOrder", "warehouse", (options) => warehouse().deliverOrder({ orderId: "ord_1" }, options)],
  ["ImportStock", "warehouse", (options) => warehouse().importStock(delivery(1), options)],
  ["GetFunnel", "manager", (options) => reports().getFunnel(day, options)],
  ["ListRevenue", "manager", (options) => reports().listRevenue(range, options)],
  ["ListTopProducts", "manager", (options) => reports().listTopProducts({}, options)],
  ["UpdateProduct", "manager", (options) => assortment().updateProduct({ sku: "CUP" }, options)],
  ["ChangePrice", "manager", (options) => assortment().changePrice({ sku: "CUP", price }, options)],
];

test.each(calls)("%s is for scope %s alone", async (_name, scope, call) => {
  await call(await as(scope));
  asked.length = 0;
  expect((await failure(call())).code).toBe(Code.Unauthenticated);
  for (const other of ["", "warehouse", "manager", "operator"].filter((each) => each !== scope)) {
    expect((await failure(call(await as(other)))).code).toBe(Code.PermissionDenied);
  }
  expect(asked, "nothing reached a service").toEqual([]);
});

describe("the warehouse", () => {
  test.each([
    [OrderState.PAID, InnerOrderState.PAID],
    [OrderState.SHIPPED, InnerOrderState.SHIPPED],
  ])("sees parcels in state %i page by page, without prices or names of customers", async (state, inner) => {
    const answer = await warehouse().listParcels(
      { state, newestFirst: true, pageSize: 7, pageToken: "next" },
      await as("warehouse"),
    );
    expect(answer).toMatchObject({ parcels: [parcel("ord_1", state)], nextPageToken: "more" });
    expect(asked).toEqual([["usr_staff", inner, true, 7, "next"]]);
    const text = JSON.stringify(answer, (_, value) => (typeof value === "bigint" ? String(value) : value));
    expect(text).not.toMatch(/usr_of_somebody|EUR|450|900/);
  });

  test("ships and delivers in the clerk's own name", async () => {
    const options = await as("warehouse");
    const shipped = await warehouse().shipOrder({ orderId: "ord_1", trackingNumber: "DHL-1" }, options);
    expect(shipped.parcel).toMatchObject(parcel("ord_1", OrderState.SHIPPED));
    expect(asked).toEqual([["usr_staff", "ord_1", "DHL-1"]]);
    const delivered = await warehouse().deliverOrder({ orderId: "ord_1" }, options);
    expect(delivered.parcel).toMatchObject(parcel("ord_1", OrderState.DELIVERED));
  });

  test("is told what an order's state forbids", async () => {
    const error = await failure(warehouse().deliverOrder({ orderId: "ord_paid" }, await as("warehouse")));
    expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, "it is PAID"]);
  });
});

describe("a delivery", () => {
  test.each([
    ["gRPC over h2c", () => createGrpcTransport({ baseUrl: edge.url })],
    ["gRPC-Web", () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: "1.1" })],
    ["Connect over HTTP/2", () => createConnectTransport({ baseUrl: edge.url, httpVersion: "2" })],
    ["Connect over HTTP/1.1", () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" })],
  ])("is streamed in by %s, its bad lines are named", async (_, over) => {
    const summary = await createClient(WarehouseService, over()).importStock(delivery(3), await as("warehouse"));
    expect(summary).toMatchObject({
      ...{ accepted: 3n, rejectedCount: 1n },
      rejected: [{ line: 2n, sku: "NONE", reason: "unknown SKU" }],
    });
    const batch = (line: bigint) => ["usr_staff", "delivery-1", line, [`CUP-${line}`]];
    expect(asked).toEqual([batch(1n), batch(2n), batch(3n), "whole"]);
  });

  test("whose sender is gone half-way is broken off, not taken for a whole one", async () => {
    const sender = new AbortController();
    async function* half() {
      yield* delivery(1);
      await expect.poll(() => asked.length).toBe(1);
      sender.abort();
      yield* delivery(1);
    }
    const client = createClient(WarehouseService, createGrpcTransport({ baseUrl: edge.url }));
    const options = { ...(await as("warehouse")), signal: sender.signal };
    expect((await failure(client.importStock(half(), options))).code).toBe(Code.Canceled);
    await expect.poll(() => asked.at(-1)).toBe("broken off");
  });
});

describe("the manager", () => {
  test("reads the funnel and the revenue", async () => {
    const options = await as("manager");
    expect(await reports().getFunnel(day, options)).toMatchObject({
      ...{ productViews: 900n, cartUpdates: 90n, ordersPlaced: 9n, ordersConfirmed: 0n, ordersPaid: 8n },
    });
    expect((await reports().listRevenue(range, options)).minutes).toMatchObject([
      { minute: noon, captured: { currencyCode: "EUR", minorUnits: 4450n } },
    ]);
  });

  test("reads what sells best, by name as far as there is one", async () => {
    const answer = await reports().listTopProducts({}, await as("manager"));
    expect(answer).toMatchObject({ nextPageToken: "more", degraded: [] });
    expect(answer.products).toMatchObject([
      { sku: "CUP", name: "The CUP", quantity: 12n, picturePath: "/pictures/CUP.svg" },
      { sku: "GONE", name: "", quantity: 3n },
    ]);
  });

  test("changes a price and a name, and nothing that is not said", async () => {
    const options = await as("manager");
    const changed = await assortment().changePrice({ sku: "CUP", price }, options);
    expect(changed.product).toMatchObject({ sku: "CUP", price });
    await assortment().updateProduct({ sku: "CUP", name: "Mug" }, options);
    expect(asked).toEqual([
      ["usr_staff", "CUP", 500n],
      ["usr_staff", "CUP", "Mug", undefined, undefined],
    ]);
    const none = await failure(assortment().changePrice({ sku: "NONE", price }, options));
    expect(none.code).toBe(Code.NotFound);
  });
});

test.each<[string, string, (options: Options) => Promise<unknown>]>([
  ["state", "warehouse", (options) => warehouse().listParcels({}, options)],
  ["state", "warehouse", (options) => warehouse().listParcels({ state: OrderState.DELIVERED }, options)],
  ["page_size", "warehouse", (options) => warehouse().listParcels({ state: 5, pageSize: 101 }, options)],
  ["page_token", "warehouse", (options) => warehouse().listParcels({ state: 5, pageToken: "x".repeat(513) }, options)],
  ["order_id", "warehouse", (options) => warehouse().deliverOrder({ orderId: "ord 1" }, options)],
  ["tracking_number", "warehouse", (options) => warehouse().shipOrder({ orderId: "ord_1" }, options)],
  ["import_id", "warehouse", (options) => warehouse().importStock(delivery(1, "no"), options)],
  ["day", "manager", (options) => reports().getFunnel({ day: "today" }, options)],
  ["from", "manager", (options) => reports().listRevenue({ until: noon, currencyCode: "EUR" }, options)],
  ["currency_code", "manager", (options) => reports().listRevenue({ ...range, currencyCode: "euro" }, options)],
  ["page_size", "manager", (options) => reports().listTopProducts({ pageSize: -1 }, options)],
  ["price", "manager", (options) => assortment().changePrice({ sku: "CUP" }, options)],
  ["name", "manager", (options) => assortment().updateProduct({ sku: "CUP", name: "" }, options)],
])("a bad %s is named to a caller of scope %s", async (field, scope, call) => {
  const error = await failure(call(await as(scope)));
  expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringContaining(field)]);
  // A stream's beginning reaches its service, none of its messages does.
  expect(asked.filter((each) => each !== "broken off")).toEqual([]);
});

describe("with services away", () => {
  test("what sells best is shown from the database, and by SKU alone, and said so", async () => {
    leaderboardAway = true;
    await edge.stop("catalog");
    const answer = await reports().listTopProducts({ pageSize: 1 }, await as("manager"));
    expect(answer.products).toMatchObject([{ sku: "CUP", name: "", quantity: 12n }]);
    expect(answer.degraded).toEqual(["leaderboard", "names"]);
  });

  test("a report is UNAVAILABLE without analytics, not zero", async () => {
    await edge.stop("analytics");
    expect((await failure(reports().getFunnel(day, await as("manager")))).code).toBe(Code.Unavailable);
  });
});
