import type { Client } from "@connectrpc/connect";
import { createRedis } from "@weft/mesh/cache";
import { createDatabase } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { seedProducts } from "./store.ts";
import { startCatalogProcess } from "./testing/catalog-process.ts";
import { databaseReads } from "./testing/database-reads.ts";
import { createPriceWatch, type PriceWatch } from "./testing/price-watch.ts";

/** Two catalogs in processes of their own, on one schema, one Redis and one NATS. */
const names = ["catalog", "catalog2"] as const;
type Catalog = Client<typeof CatalogService>;

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let maker: Catalog;
const catalogs: Catalog[] = [];
const skus = Array.from({ length: 400 }, (_, index) => `SKU-${String(index).padStart(3, "0")}`);
const initialPrice = 1_000n;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(names));
  const { url } = mesh.database("catalog");
  // One after the other, since the first makes the tables.
  for (const name of names) {
    resources.use(await startCatalogProcess({ ...mesh.env(name), MYSQL_URL: url }));
    catalogs.push(await mesh.client(CatalogService, name));
  }
  maker = await mesh.client(CatalogService, "catalog");
  await using database = createDatabase({ url, telemetry: createTelemetry({ service: "test", logLevel: "error" }) });
  const product = { name: "Thing", description: "", category: "things", currencyCode: "EUR" };
  await seedProducts(
    database,
    skus.map((sku) => ({ ...product, sku, minorUnits: initialPrice })),
  );
});
afterAll(() => resources.disposeAsync());

const priceOf = async (catalog: Catalog, sku: string) => (await catalog.getProduct({ sku })).product?.price?.minorUnits;
const setPrice = (sku: string, minorUnits: bigint) =>
  maker.changePrice({ sku, price: { currencyCode: "EUR", minorUnits } });
const flushRedis = async () => {
  await using redis = createRedis({ url: mesh.redis.url, telemetry: createTelemetry({ service: "test" }) });
  await expect.poll(() => redis.isReady()).toBe(true);
  await redis.run("test.flush", (commands) => commands.flushall());
};

/** Changes a price and measures until every process gives it. */
async function untilSeen(sku: string, minorUnits: bigint, timeoutMs: number): Promise<number> {
  await setPrice(sku, minorUnits);
  const startedMs = performance.now();
  const seen = () => Promise.all(catalogs.map((catalog) => priceOf(catalog, sku)));
  await expect.poll(seen, { timeout: timeoutMs, interval: 2 }).toEqual(catalogs.map(() => minorUnits));
  return performance.now() - startedMs;
}

const readersPerProcess = 3;
const readsPerChange = 5;

/** Reads in both processes, and changes, until it is stopped; of products that nobody else changes. */
function startLoad(watch: PriceWatch, busy: readonly string[]) {
  let isRunning = true;
  let price = initialPrice;
  const some = () => busy[Math.floor(Math.random() ** 2 * busy.length)] ?? "";
  const read = async (catalog: Catalog) => {
    const sku = some();
    await watch.read(sku, () => priceOf(catalog, sku));
  };
  const change = async () => {
    const [sku, minorUnits] = [some(), ++price];
    await watch.change(sku, minorUnits, () => setPrice(sku, minorUnits));
  };
  const work = async (catalog: Catalog, reader: number) => {
    for (let count = 1; isRunning; count += 1) {
      await read(catalog);
      // One of all readers, so that a product has one price after the other.
      if (reader === 0 && count % readsPerChange === 0) await change();
    }
  };
  const readers = Array.from({ length: readersPerProcess }, () => catalogs).flat();
  const running = Promise.all(readers.map(work));
  const ended = running.then(
    () => undefined,
    (error: unknown) => error,
  );
  return {
    /** Waits until so many more reads were right. @throws the first that failed or was wrong */
    async more(count: number) {
      const from = watch.reads();
      const enough = expect.poll(() => watch.reads() - from, { timeout: 15_000, interval: 10 }).toBeGreaterThan(count);
      await Promise.race([enough, running]);
    },
    async stop() {
      isRunning = false;
      const error = await ended;
      if (error !== undefined) throw error;
    },
  };
}

/** Has one process read products that nobody has read before, then the other; answers how often that one asked the database. */
async function readsOfSecondProcess(unread: string[]): Promise<number> {
  const [first, second] = catalogs;
  if (first === undefined || second === undefined) throw new Error("there are two processes");
  const some = unread.splice(0, 10);
  for (const sku of some) await priceOf(first, sku);
  const address = mesh.env("catalog2").WEFT_METRICS_ADDR;
  const before = await databaseReads(address);
  for (const sku of some) await priceOf(second, sku);
  return (await databaseReads(address)) - before;
}

test("a new price is seen in every process within a second", async () => {
  const timesMs: number[] = [];
  for (let round = 0n; round < 40n; round += 1n) {
    await Promise.all(catalogs.map((catalog) => priceOf(catalog, "SKU-200")));
    timesMs.push(await untilSeen("SKU-200", 5_000n + round, 1_000));
  }
  timesMs.sort((a, b) => a - b);
  console.info(
    `a new price in both processes: median ${timesMs[20]?.toFixed(0)} ms, longest ${timesMs[39]?.toFixed(0)} ms`,
  );
});

test("Redis flushed, killed, frozen while products are read and changed: no error, no price older than a second", async () => {
  const watch = createPriceWatch(initialPrice, 1_000);
  const load = startLoad(watch, skus.slice(0, 100));
  await load.more(500);
  await flushRedis();
  await load.more(500);
  mesh.redis.kill("SIGKILL");
  await load.more(1_000);
  await mesh.redis.stop();
  await mesh.redis.start();
  await load.more(500);
  mesh.redis.kill("SIGSTOP");
  await load.more(500);
  mesh.redis.kill("SIGCONT");
  await load.more(500);
  await load.stop();
  console.info(
    `Redis away: ${watch.reads()} reads beside changes, the oldest price ${watch.oldestMs().toFixed(0)} ms old`,
  );
  // And the cache is of use again, as soon as both processes have found Redis.
  const unread = skus.slice(300);
  await expect.poll(() => readsOfSecondProcess(unread)).toBe(0);
});

test("NATS killed, with it Redis, both back: no error, no price older than three seconds", async () => {
  const watch = createPriceWatch(initialPrice, 3_000);
  const load = startLoad(watch, skus.slice(100, 200));
  await load.more(300);
  mesh.nats.kill("SIGKILL");
  await load.more(500);
  mesh.redis.kill("SIGKILL");
  await load.more(500);
  await mesh.redis.stop();
  await mesh.redis.start();
  await load.more(500);
  await mesh.nats.stop();
  await mesh.nats.start();
  await load.more(2_000);
  await load.stop();
  console.info(
    `NATS away: ${watch.reads()} reads beside changes, the oldest price ${watch.oldestMs().toFixed(0)} ms old`,
  );
  await untilSeen("SKU-201", 7_000n, 3_000);
});

test("a frozen NATS is noticed within 15 s: until then another process may give the old price, after that none does", async () => {
  // In the memory of both.
  for (let round = 0; round < 2; round += 1) await Promise.all(catalogs.map((catalog) => priceOf(catalog, "SKU-202")));
  mesh.nats.kill("SIGSTOP");
  const seenMs = await untilSeen("SKU-202", 8_000n, 16_000);
  mesh.nats.kill("SIGCONT");
  console.info(`NATS frozen: a new price in both processes after ${seenMs.toFixed(0)} ms`);
}, 40_000);
