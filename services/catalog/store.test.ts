import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createProductStore, type ProductSeed, seedProducts } from "./store.ts";
import type { ProductStore } from "./usecases.ts";

const telemetry = createTelemetry({ service: "catalog", write: () => {} });
const NOW = new Date("2026-03-01T12:00:00.123Z");

const resources = new AsyncDisposableStack();
let database: Database;
let store: ProductStore;

beforeAll(async () => {
  const schema = resources.use(await testDatabase("catalog"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "catalog", directory, logger: telemetry.logger });
  store = createProductStore(database);
  // Upper case before lower case, as bytes go; an accent and an emoji, as UTF-8 goes.
  await seedProducts(database, ["b", "B", "a", "é", "😀"].map(seed), NOW);
});
afterAll(() => resources.disposeAsync());

function seed(sku: string): ProductSeed {
  return { sku, name: `Name of ${sku}`, description: "Fine.", currencyCode: "EUR", minorUnits: 1_999n };
}

test("findProduct() finds exactly that SKU, with all that was stored", async () => {
  expect(await store.findProduct("b")).toEqual({
    ...{ sku: "b", name: "Name of b", description: "Fine." },
    ...{ price: { currencyCode: "EUR", minorUnits: 1_999n }, version: 1n, updatedAt: NOW },
  });
  expect(await store.findProduct("b ")).toBeUndefined();
  expect(await store.findProduct("c")).toBeUndefined();
});

test("listProducts() goes through all by SKU, page after page", async () => {
  const skus: string[] = [];
  for (let after: string | undefined; ; after = skus.at(-1)) {
    const page = await store.listProducts(after, 2);
    if (page.length === 0) break;
    skus.push(...page.map(({ sku }) => sku));
  }
  expect(skus).toEqual(["B", "a", "b", "é", "😀"]);
});

test("listProducts() reads by the key, not the whole table", async () => {
  const plan = await database.query<{ type: string; key: string; Extra: string }>(
    "test.explain",
    "EXPLAIN SELECT sku FROM products WHERE sku > ? ORDER BY sku LIMIT ?",
    ["a", 2],
  );
  expect(plan).toMatchObject([{ type: "range", key: "PRIMARY", Extra: expect.not.stringContaining("filesort") }]);
});

describe("savePrice()", () => {
  test("stores a price of up to a trillion units exactly, and only over the version before", async () => {
    const before = await store.findProduct("a");
    if (before === undefined) throw new Error("the seed is missing");
    const price = { currencyCode: "JPY", minorUnits: 999_999_999_999n };
    const after = { ...before, price, version: 2n, updatedAt: new Date("2026-03-02T00:00:00Z") };
    const save = () => database.transaction("test.savePrice", (tx) => store.savePrice(tx, after));
    expect([await save(), await save()]).toEqual([true, false]);
    expect(await store.findProduct("a")).toEqual(after);
  });
});

test("seedProducts() leaves what is there as it is", async () => {
  await seedProducts(database, [{ ...seed("B"), minorUnits: 1n }, seed("new")], NOW);
  expect((await store.findProduct("B"))?.price.minorUnits).toBe(1_999n);
  expect(await store.findProduct("new")).toBeDefined();
});
