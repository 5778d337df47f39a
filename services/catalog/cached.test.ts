import { setImmediate } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { createDatabase } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedProducts } from "./store.ts";
import { databaseReads } from "./testing/database-reads.ts";

/** Three processes on one schema and one Redis; the last does not cache. */
const names = ["catalog", "catalog2", "uncached"] as const;
type Catalog = Client<typeof CatalogService>;

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let catalogs: Record<(typeof names)[number], Catalog>;
const skus = Array.from({ length: 60 }, (_, index) => `SKU-${String(index).padStart(2, "0")}`);

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(names));
  const url = mesh.database("catalog").url;
  for (const name of names) {
    const cache = name === "uncached" ? { PRODUCT_CACHE_TTL_MS: "0" } : {};
    resources.use(await start(loadConfig({ ...mesh.env(name), MYSQL_URL: url, ...cache })));
  }
  await addProducts(skus, "things");
  catalogs = {
    catalog: await mesh.client(CatalogService, "catalog"),
    catalog2: await mesh.client(CatalogService, "catalog2"),
    uncached: await mesh.client(CatalogService, "uncached"),
  };
});
afterAll(() => resources.disposeAsync());

async function addProducts(added: readonly string[], category: string): Promise<void> {
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  await using database = createDatabase({ url: mesh.database("catalog").url, telemetry });
  const product = { name: "Thing", description: "", category, currencyCode: "EUR", minorUnits: 1_000n };
  await seedProducts(
    database,
    added.map((sku) => ({ ...product, sku })),
  );
}

const readsOf = (name: (typeof names)[number]) => databaseReads(mesh.env(name).WEFT_METRICS_ADDR);

const priceOf = async (catalog: Catalog, sku: string) => (await catalog.getProduct({ sku })).product?.price?.minorUnits;
const listed = async (catalog: Catalog, sku: string) => {
  const { products } = await catalog.listProducts({ pageSize: 10 });
  return products.find((product) => product.sku === sku)?.price?.minorUnits;
};
const price = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });

/** A customer's reads: products one by one, in batches, and pages. */
async function read(catalog: Catalog, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const sku = skus[round % 10] ?? "";
    await catalog.getProduct({ sku });
    await catalog.batchGetProducts({ skus: skus.slice(round % 10, (round % 10) + 5) });
    await catalog.listProducts({ pageSize: 10 });
  }
}

test("almost no read reaches the database, and answers are the same", async () => {
  const before = { cached: await readsOf("catalog"), uncached: await readsOf("uncached") };
  await read(catalogs.catalog, 100);
  await read(catalogs.uncached, 100);
  const cached = (await readsOf("catalog")) - before.cached;
  const uncached = (await readsOf("uncached")) - before.uncached;
  expect(uncached).toBe(300);
  expect(cached).toBeLessThan(30);
  const request = { skus: ["SKU-01", "nothing", "SKU-00"] };
  expect(await catalogs.catalog.batchGetProducts(request)).toEqual(await catalogs.uncached.batchGetProducts(request));
  expect(await catalogs.catalog.listProducts({})).toEqual(await catalogs.uncached.listProducts({}));
});

test("searches and categories reach the database once, and answers are the same", async () => {
  const searches = ["thing", "THING!", "nothing", "", "thing others"].map((text) => ({
    query: `${text}.`,
    pageSize: 7,
  }));
  const answers = (catalog: Catalog) =>
    Promise.all([...searches.map((search) => catalog.searchProducts(search)), catalog.listCategories({})]);
  const uncached = await answers(catalogs.uncached);
  expect(await answers(catalogs.catalog)).toEqual(uncached);
  // The products of the first answers may not have been in the cache.
  expect(await answers(catalogs.catalog)).toEqual(uncached);
  const before = await readsOf("catalog");
  expect(await answers(catalogs.catalog)).toEqual(uncached);
  expect(await readsOf("catalog")).toBe(before);
});

test("what is asked for fresh is read from the database, whatever is cached", async () => {
  const { catalog } = catalogs;
  await priceOf(catalog, "SKU-09");
  const before = await readsOf("catalog");
  await catalog.batchGetProducts({ skus: ["SKU-09"] });
  expect(await readsOf("catalog")).toBe(before);
  await catalog.batchGetProducts({ skus: ["SKU-09"], fresh: true });
  expect(await readsOf("catalog")).toBe(before + 1);
});

test("a new price is in the next answer of who changed it, and in every process within a second, pages included", async () => {
  const { catalog, catalog2 } = catalogs;
  for (const each of [catalog, catalog2])
    expect([await priceOf(each, "SKU-03"), await listed(each, "SKU-03")]).toEqual([1_000n, 1_000n]);
  await catalog.changePrice({ sku: "SKU-03", price: price(1_500n) });
  expect(await priceOf(catalog, "SKU-03")).toBe(1_500n);
  await expect
    .poll(async () => [await priceOf(catalog2, "SKU-03"), await listed(catalog2, "SKU-03")], {
      timeout: 1_000,
      interval: 20,
    })
    .toEqual([1_500n, 1_500n]);
});

test("a product that gets other texts is on other lists: of who changed it at once, of all within a second", async () => {
  const { catalog, catalog2 } = catalogs;
  /** What the lists of a process say of SKU-07. */
  const lists = async (each: Catalog) => {
    const has = ({ products }: { products: { sku: string }[] }) => products.some(({ sku }) => sku === "SKU-07");
    const { categories } = await each.listCategories({});
    return {
      things: has(await each.listProducts({ category: "things", pageSize: 100 })),
      moved: has(await each.listProducts({ category: "moved", pageSize: 100 })),
      found: has(await each.searchProducts({ query: "renamed" })),
      counts: categories.map(({ name, productCount }) => `${name} ${productCount}`),
    };
  };
  const before = { things: true, moved: false, found: false, counts: ["things 60"] };
  const after = { things: false, moved: true, found: true, counts: ["moved 1", "things 59"] };
  expect([await lists(catalog), await lists(catalog2)]).toEqual([before, before]);
  await catalog.updateProduct({ sku: "SKU-07", category: "moved", name: "Renamed" });
  expect(await lists(catalog)).toEqual(after);
  await expect.poll(() => lists(catalog2), { timeout: 1_000, interval: 20 }).toEqual(after);
});

test("a page does not end early because of a product that was asked for before it was there", async () => {
  const { catalog } = catalogs;
  const list = () => catalog.listProducts({ category: "late", pageSize: 2 });
  await expect(catalog.getProduct({ sku: "LATE-1" })).rejects.toThrow(/not_found/);
  await addProducts(["LATE-0", "LATE-1", "LATE-2"], "late");
  const first = await list();
  expect(first.products.map(({ sku }) => sku)).toEqual(["LATE-0", "LATE-1"]);
  expect(await list()).toEqual(first);
});

test("many changes of one price, from both processes: none is refused because of what was cached", async () => {
  const { catalog, catalog2 } = catalogs;
  for (let round = 0n; round < 10n; round += 1n) {
    await catalog.changePrice({ sku: "SKU-05", price: price(2_000n + 2n * round) });
    await catalog2.changePrice({ sku: "SKU-05", price: price(2_001n + 2n * round) });
  }
  await expect.poll(() => priceOf(catalog, "SKU-05"), { timeout: 1_000, interval: 20 }).toBe(2_019n);
});

test("Redis flushed, frozen and stopped under load: no error, and changes are seen all the same", async () => {
  const { catalog, catalog2 } = catalogs;
  let isRunning = true;
  let answers = 0;
  const load = async (each: Catalog) => {
    while (isRunning) {
      await read(each, 1);
      answers += 1;
      await setImmediate();
    }
  };
  const loading = Promise.all([load(catalog), load(catalog2), load(catalog)]);
  const answered = (count: number) => {
    const from = answers;
    return expect.poll(() => answers - from, { timeout: 10_000 }).toBeGreaterThan(count);
  };
  const change = async (minorUnits: bigint) => {
    await catalog.changePrice({ sku: "SKU-04", price: price(minorUnits) });
    const seen = async () => [await priceOf(catalog, "SKU-04"), await priceOf(catalog2, "SKU-04")];
    await expect.poll(seen, { timeout: 1_000, interval: 20 }).toEqual([minorUnits, minorUnits]);
  };
  await answered(50);
  await mesh.redis.stop();
  await answered(50);
  await change(4_000n);
  await mesh.redis.start();
  await answered(50);
  await change(5_000n);
  mesh.redis.kill("SIGSTOP");
  await change(6_000n);
  mesh.redis.kill("SIGCONT");
  await answered(50);
  await change(7_000n);
  isRunning = false;
  await loading;
});
