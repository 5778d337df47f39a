import { type Client, Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { errorReason, systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database } from "@weft/mesh/data";
import { finishReplay } from "@weft/mesh/events";
import { EventService } from "@weft/mesh/gen/weft/admin/v1/events_pb.js";
import { loadCredentials } from "@weft/mesh/security";
import { loadMeshConfig, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { OrderService } from "../../gen/shop/order/v1/order_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { countPairs } from "./domain.ts";
import { start } from "./main.ts";
import { createPairsProjection } from "./pairs-projection.ts";

const telemetry = createTelemetry({ service: "test", logLevel: "error" });
const resources = new AsyncDisposableStack();
const pageSize = 3;
let mesh: TestMesh;
let operator: Client<typeof EventService>;
let database: Database;
let order: AsyncDisposable | undefined;

/** What order has in its log, and what happens before it tells of a page. */
const log = new Map<string, readonly string[]>();
let beforePage: (page: number) => Promise<void> = async () => {};
let told = 0;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["recommendation", "analytics", "order"]));
  resources.use(await start(loadConfig(mesh.env("recommendation"))));
  operator = await mesh.client(EventService, "recommendation", "operator");
  database = resources.use(createDatabase({ url: mesh.database("recommendation").url, telemetry }));
  order = await startOrder();
}, 60_000);
afterAll(async () => {
  await order?.[Symbol.asyncDispose]();
  await resources.disposeAsync();
});
beforeEach(() => {
  beforePage = async () => {};
});

/** Order, with a log of which each page is read when it is asked for. */
async function startOrder(): Promise<AsyncDisposable> {
  await using own = new AsyncDisposableStack();
  const config = loadMeshConfig(mesh.env("order"));
  const credentials = own.use(await loadCredentials({ ...config.credentials, logger: telemetry.logger }));
  let pages = 0;
  const listConfirmedOrders = async ({ pageToken }: { readonly pageToken: string }) => {
    await beforePage(pages++);
    const ids = [...log.keys()].filter((orderId) => orderId > pageToken).sort();
    const orders = ids.slice(0, pageSize).map((orderId) => ({ orderId, skus: [...(log.get(orderId) ?? [])] }));
    return { orders, nextPageToken: ids.length > pageSize ? (orders.at(-1)?.orderId ?? "") : "" };
  };
  const routes = (router: ConnectRouter) => router.service(OrderService, { listConfirmedOrders });
  own.use(await serve({ service: "order", config, routes, credentials, telemetry }));
  return own.move();
}

const skusOf = (number: number) => [`SKU-${number % 4}`, `SKU-${number % 7}`, "SKU-X"];

/** Confirms an order: in the log at once, heard of later. */
async function confirm(orderId: string, skus: readonly string[]): Promise<void> {
  log.set(orderId, skus);
  await hear(orderId);
}

async function hear(orderId: string): Promise<void> {
  const lines = (log.get(orderId) ?? []).map((sku) => ({ sku, quantity: 1 }));
  await mesh.publish(OrderConfirmedSchema, { orderId, lines });
  told += 1;
}

const handled = () =>
  vi.waitFor(
    async () => {
      const [row] = await database.query<{ n: string }>("test.inbox", "SELECT COUNT(*) AS n FROM weft_inbox");
      expect(Number(row?.n)).toBe(told);
    },
    { timeout: 15_000, interval: 50 },
  );

async function pairs(): Promise<string[]> {
  const sql = "SELECT sku, other, orders FROM pairs ORDER BY sku, other";
  const rows = await database.query<{ sku: string; other: string; orders: string }>("test.pairs", sql);
  return rows.map(({ sku, other, orders }) => `${sku} ${other} ${orders}`);
}

const ofLog = () => countPairs([...log.values()]).map(({ of: { sku, other }, count }) => `${sku} ${other} ${count}`);
const script = (sql: string) => database.session("test.script", (session) => session.script("test.script", sql));

/** Answers with how many orders it has read. */
async function replay(): Promise<number> {
  let read = 0n;
  for await (const { done } of operator.replayProjection({ projection: "pairs" })) read = done;
  return Number(read);
}

/** As a process makes it that has only just started. */
const offline = () =>
  createPairsProjection({
    database,
    confirmedOrders: () => {
      throw new Error("order is not asked");
    },
  });

async function spoil(): Promise<void> {
  await script("DELETE FROM pairs WHERE sku = 'SKU-X'");
  await script("UPDATE pairs SET orders = 99");
  await script("INSERT INTO pairs VALUES ('GHOST', 'SKU-X', 7)");
  await script("INSERT INTO counted_orders VALUES ('ord_ghost', 'GHOST SKU-X', '2026-01-01')");
}

test("the tables are made like the migrations make them", async () => {
  const definition = async (name: string) => {
    const [row] = await database.query<Record<string, string>>("test.show", `SHOW CREATE TABLE ${name}`);
    return row?.["Create Table"]?.replace(name, "");
  };
  for (const { name, create } of offline().tables) {
    await script(create(`${name}_other`));
    expect(await definition(`${name}_other`)).toBe(await definition(name));
  }
});

test("pairs that somebody has spoilt are those of the confirmed orders, each counted once, while orders are confirmed", async () => {
  // Long ago, without an event; and some that were heard of.
  for (let number = 0; number < 40; number += 1) log.set(`ord_${number * 10}`, skusOf(number));
  for (let number = 0; number < 10; number += 1) await confirm(`ord_heard_${number}`, skusOf(number));
  log.set("ord_5_told_late", ["SKU-LATE", "SKU-X"]);
  await handled();
  await spoil();
  // Behind the page that is read and before it, in turn; of some the service has heard before the swap, of the others after it.
  beforePage = async (page) => {
    await confirm(`ord_${page % 2 === 0 ? "0" : "z"}_new_${page}`, skusOf(page));
    if (page === 5) await handled();
  };
  expect(await replay()).toBeGreaterThan(50);
  await confirm("ord_after", skusOf(3));
  // Counted as part of the log: heard of now, and once more under another id.
  await hear("ord_5_told_late");
  await hear("ord_0");
  await handled();
  expect(await pairs()).toEqual(ofLog());
});

test("all of it lost is made anew, the orders that are counted too", async () => {
  await script("DROP TABLE pairs, counted_orders");
  await replay();
  expect(await pairs()).toEqual(ofLog());
  const { projections } = await operator.listProjections({});
  expect(projections).toMatchObject([
    { name: "pairs", tables: ["pairs", "counted_orders"], notRebuildableBecause: "" },
    { name: "views", notRebuildableBecause: expect.stringContaining("ProductViewed") },
  ]);
});

test("a second replay is refused while one runs", async () => {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  beforePage = async () => {
    reached.resolve();
    await opened.promise;
  };
  const running = replay();
  await reached.promise;
  const error = await replay().then(() => undefined, ConnectError.from);
  opened.resolve();
  await running;
  expect([error?.code, error && errorReason(error)]).toEqual([Code.Aborted, "REPLAY_RUNNING"]);
});

test("what is heard between the last look and the swap is counted by the next start, when nobody could finish", async () => {
  const before = await pairs();
  for (const table of ["pairs", "counted_orders"]) {
    await script(`CREATE TABLE ${table}_replaced LIKE ${table}`);
    await script(`INSERT INTO ${table}_replaced SELECT * FROM ${table}`);
  }
  await script("INSERT INTO counted_orders_replaced VALUES ('ord_between', 'SKU-B1 SKU-B2', UTC_TIMESTAMP(3))");
  await finishReplay({ database, clock: systemClock }, offline());
  expect(await pairs()).toEqual([...before, "SKU-B1 SKU-B2 1", "SKU-B2 SKU-B1 1"].sort());
  expect(await database.query("test.tables", "SHOW TABLES LIKE '%replaced'")).toEqual([]);
});

test("order away: the replay says so, and the live tables are as they were", async () => {
  const before = await pairs();
  await order?.[Symbol.asyncDispose]();
  order = undefined;
  const error = await replay().then(() => undefined, ConnectError.from);
  expect(error?.code).toBe(Code.Unavailable);
  expect(error?.message).toMatch(/order does not tell which orders were confirmed: /);
  expect(await pairs()).toEqual(before);
  expect(await database.query("test.tables", "SHOW TABLES LIKE '%replay'")).toEqual([]);
});
