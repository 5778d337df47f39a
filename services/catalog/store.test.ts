import { createDatabase, type Database, migrate, type SqlValue } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createProductStore, type ProductSeed, seedProducts } from "./store.ts";
import type { ProductStore } from "./usecases.ts";

const telemetry = createTelemetry({ service: "catalog", write: () => {} });
const now = new Date("2026-03-01T12:00:00.123Z");

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
  await seedProducts(database, ["b", "B", "a", "é", "😀"].map(seed), now);
});
afterAll(() => resources.disposeAsync());

function seed(sku: string): ProductSeed {
  return {
    sku,
    name: `Name of ${sku}`,
    description: "Fine.",
    category: "things",
    currencyCode: "EUR",
    minorUnits: 1_999n,
  };
}

async function plan(sql: string, params: SqlValue[]) {
  const explained = await database.query<{ type: string; key: string; Extra: string }>(
    "test.explain",
    `EXPLAIN ${sql}`,
    params,
  );
  return explained;
}

test("findProduct() finds exactly that SKU, with all that was stored", async () => {
  expect(await store.findProduct("b")).toEqual({
    ...{ sku: "b", name: "Name of b", description: "Fine.", category: "things" },
    ...{ price: { currencyCode: "EUR", minorUnits: 1_999n }, version: 1n, updatedAt: now },
  });
  expect(await store.findProduct("b ")).toBeUndefined();
  expect(await store.findProduct("c")).toBeUndefined();
});

test("listProducts() goes through all by SKU, page after page", async () => {
  const skus: string[] = [];
  for (let after: string | undefined; ; after = skus.at(-1)) {
    const page = await store.listProducts({ after, limit: 2 });
    if (page.length === 0) break;
    skus.push(...page.map(({ sku }) => sku));
  }
  expect(skus).toEqual(["B", "a", "b", "é", "😀"]);
});

test("listProducts() reads by the key, not the whole table", async () => {
  expect(await plan("SELECT sku FROM products WHERE sku > ? ORDER BY sku LIMIT ?", ["a", 2])).toMatchObject([
    { type: "range", key: "PRIMARY", Extra: expect.not.stringContaining("filesort") },
  ]);
});

describe("a category", () => {
  beforeAll(async () => {
    const of = (sku: string, category: string) => ({ ...seed(sku), category });
    const skus = Array.from({ length: 300 }, (_, i) => `cat-${String(i).padStart(3, "0")}`);
    await seedProducts(database, [
      ...skus.slice(0, 7).map((sku) => of(sku, "few")),
      ...skus.slice(7).map((sku) => of(sku, "many")),
    ]);
  });

  test("is listed by SKU, page after page, and nothing else with it", async () => {
    const first = await store.listProducts({ category: "few", limit: 5 });
    const rest = await store.listProducts({ category: "few", after: first.at(-1)?.sku, limit: 5 });
    expect([...first, ...rest].map(({ sku }) => sku)).toEqual(Array.from({ length: 7 }, (_, i) => `cat-00${i}`));
  });

  test("is read by its index, without sorting", async () => {
    const sql = "SELECT name FROM products WHERE category = ? AND sku > ? ORDER BY sku LIMIT ?";
    expect(await plan(sql, ["few", "cat-001", 5])).toMatchObject([
      { type: "range", key: "products_category", Extra: expect.not.stringContaining("filesort") },
    ]);
  });

  test("counts its products as they come and move, and is gone with its last", async () => {
    const counts = async () =>
      new Map((await store.listCategories(100)).map(({ name, productCount }) => [name, Number(productCount)]));
    expect((await counts()).get("few")).toBe(7);
    await move("cat-000", "new");
    expect([(await counts()).get("few"), (await counts()).get("new")]).toEqual([6, 1]);
    await move("cat-000", "few");
    expect([(await counts()).get("few"), (await counts()).get("new")]).toEqual([7, undefined]);
    await Promise.all(Array.from({ length: 6 }, (_, i) => move(`cat-00${i}`, i % 2 ? "many" : "odd")));
    const rows = await database.query<{ name: string; count: string }>(
      "test.counts",
      "SELECT category AS name, COUNT(*) AS count FROM products GROUP BY category ORDER BY category",
    );
    expect([...(await counts())]).toEqual(rows.map(({ name, count }) => [name, Number(count)]));
  });

  async function move(sku: string, category: string): Promise<void> {
    const before = await store.findProduct(sku);
    if (before === undefined) throw new Error("the seed is missing");
    const after = { ...before, category, version: before.version + 1n };
    await database.transaction("test.move", (tx) => store.saveProduct(tx, before, after));
  }
});

describe("searchProducts()", () => {
  const texts: [sku: string, name: string, description: string][] = [
    ["s-1", "Hand grinder", "Steel burrs for coffee."],
    ["s-2", "Coffee grinder", "Grinds coffee as fine as coffee can be."],
    ["s-3", "Kettle", "For tea."],
    ["s-4", "Café crème", "A dark roast."],
    ["s-5", "Kettle", "For tea."],
  ];
  beforeAll(async () => {
    await seedProducts(
      database,
      texts.map(([sku, name, description]) => ({ ...seed(sku), name, description })),
    );
  });
  const find = async (...words: string[]) => (await store.searchProducts(words, 0, 100)).map(({ sku }) => sku);

  test("finds products that hold at least one word, the best match first", async () => {
    expect(await find("coffee", "grinder")).toEqual(["s-2", "s-1"]);
  });

  test("has those that match as well by SKU, so that pages do not overlap", async () => {
    expect(await find("kettle")).toEqual(["s-3", "s-5"]);
    expect((await store.searchProducts(["kettle"], 1, 1)).map(({ sku }) => sku)).toEqual(["s-5"]);
  });

  test("finds without regard to case and accents", async () => {
    expect(await find("cafe")).toEqual(["s-4"]);
  });

  test("finds what a product is called from its change on", async () => {
    const before = await store.findProduct("s-3");
    if (before === undefined) throw new Error("the seed is missing");
    const after = { ...before, name: "Samovar", version: before.version + 1n };
    await database.transaction("test.rename", (tx) => store.saveProduct(tx, before, after));
    expect([await find("samovar"), await find("kettle")]).toEqual([["s-3"], ["s-5"]]);
  });

  test.each([[["the"]], [["a"]], [["nothinglikeit"]], [["咖啡"]], [["x".repeat(200)]]])(
    "finds nothing for %j",
    async (words) => {
      expect(await find(...words)).toEqual([]);
    },
  );

  test("reads the full-text index, not the table", async () => {
    const sql = "SELECT sku FROM products WHERE MATCH (name, description) AGAINST (? IN NATURAL LANGUAGE MODE)";
    expect(await plan(sql, ["coffee"])).toMatchObject([{ type: "fulltext", key: "products_words" }]);
  });
});

describe("saveProduct()", () => {
  test("stores a price of up to a trillion units exactly", async () => {
    const before = await store.findProduct("a");
    if (before === undefined) throw new Error("the seed is missing");
    const price = { currencyCode: "JPY", minorUnits: 999_999_999_999n };
    const after = { ...before, price, version: 2n, updatedAt: new Date("2026-03-02T00:00:00Z") };
    await database.transaction("test.saveProduct", (tx) => store.saveProduct(tx, before, after));
    expect(await store.findProduct("a")).toEqual(after);
  });
});

test("seedProducts() leaves what is there as it is", async () => {
  expect(await seedProducts(database, [{ ...seed("B"), minorUnits: 1n }, seed("new")], now)).toBe(1);
  expect((await store.findProduct("B"))?.price.minorUnits).toBe(1_999n);
  expect(await store.findProduct("new")).toBeDefined();
});

test("seedProducts() by two at once adds each product once, and counts it once", async () => {
  const products = Array.from({ length: 1_200 }, (_, i) => ({ ...seed(`two-${i}`), category: "both" }));
  const added = await Promise.all([seedProducts(database, products, now), seedProducts(database, products, now)]);
  expect(added[0] + added[1]).toBe(1_200);
  const both = (await store.listCategories(100)).find(({ name }) => name === "both");
  expect(both?.productCount).toBe(1_200n);
});
