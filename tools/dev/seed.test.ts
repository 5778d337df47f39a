import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seed } from "./seed.ts";
import { SEED_PRODUCTS } from "./seed-data.ts";
import { testDatabase } from "./testing/engines.ts";

const telemetry = createTelemetry({ service: "test", logLevel: "error" });
const resources = new AsyncDisposableStack();
const databases = new Map<string, Database>();
let urls: Parameters<typeof seed>[0];
let firstMs: number;

beforeAll(async () => {
  const open = async (service: string) => {
    const schema = resources.use(await testDatabase(service));
    const database = resources.use(createDatabase({ url: schema.url, telemetry }));
    const directory = new URL(`../../services/${service}/migrations/`, import.meta.url);
    await migrate({ database, component: service, directory, logger: telemetry.logger });
    databases.set(service, database);
    return schema.url;
  };
  urls = { catalog: await open("catalog"), inventory: await open("inventory"), user: await open("user") };
  const startedMs = performance.now();
  await seed(urls);
  firstMs = performance.now() - startedMs;
});
afterAll(() => resources.disposeAsync());

async function rows(service: string, sql: string, params: string[] = []) {
  return (await databases.get(service)?.query<Record<string, string>>("test.rows", sql, params)) ?? [];
}

describe("the assortment", () => {
  test("has ten thousand products, each with a SKU and a name of its own, those chosen by hand first", () => {
    expect(SEED_PRODUCTS).toHaveLength(10_000);
    expect(new Set(SEED_PRODUCTS.map(({ sku }) => sku)).size).toBe(10_000);
    expect(new Set(SEED_PRODUCTS.map(({ name }) => name)).size).toBe(10_000);
    const bySku = SEED_PRODUCTS.map(({ sku }) => sku).sort();
    expect(bySku.slice(0, 40)).toEqual(
      SEED_PRODUCTS.slice(0, 40)
        .map(({ sku }) => sku)
        .sort(),
    );
  });

  test("keeps to the contract", () => {
    const isGood = ({ sku, name, description, category, minorUnits, stock }: (typeof SEED_PRODUCTS)[number]) =>
      /^[A-Za-z0-9._-]{1,64}$/.test(sku) &&
      /^[a-z0-9-]{1,40}$/.test(category) &&
      name.length > 5 &&
      name.length <= 200 &&
      description.length > 10 &&
      description.length <= 2_000 &&
      !/[{}]|undefined|NaN/.test(name + description) &&
      minorUnits >= 100n &&
      minorUnits < 100_000n &&
      Number.isInteger(stock) &&
      stock >= 0;
    expect(SEED_PRODUCTS.filter((product) => !isGood(product))).toEqual([]);
  });

  test("is the same each time: what somebody has bought stays what it was", () => {
    expect(SEED_PRODUCTS.find(({ sku }) => sku === "W-100041")).toMatchObject({
      name: "Gayo microlot, 500 g",
      minorUnits: 3_000n,
      category: "coffee-beans",
    });
    expect(SEED_PRODUCTS.at(-1)).toMatchInlineSnapshot(`
      {
        "category": "bags",
        "description": "Sailcloth laptop sleeve with leather straps; gets better with rain. Cut and sewn in one workshop.",
        "minorUnits": 5150n,
        "name": "Sailcloth laptop sleeve, with zip",
        "sku": "W-110000",
        "stock": 38,
      }
    `);
  });
});

describe("seed()", () => {
  test("fills an empty shop in seconds: products, stock of each, twelve categories, accounts of staff", async () => {
    expect(firstMs).toBeLessThan(15_000);
    const counts = await rows(
      "catalog",
      "SELECT COUNT(*) AS products, COUNT(DISTINCT category) AS categories FROM products",
    );
    expect(counts).toEqual([{ products: "10000", categories: "12" }]);
    const counted = await rows(
      "catalog",
      "SELECT SUM(product_count) AS products, COUNT(*) AS categories FROM categories",
    );
    expect(counted).toMatchObject([{ products: "10000", categories: "12" }]);
    expect(await rows("inventory", "SELECT COUNT(*) AS skus FROM stock")).toEqual([{ skus: "10000" }]);
    expect(await rows("user", "SELECT email, scopes FROM users ORDER BY email")).toEqual([
      { email: "clerk@shop.test", scopes: "customer warehouse" },
      { email: "manager@shop.test", scopes: "customer manager" },
    ]);
  });

  test("leaves a full shop as it is, at little cost", async () => {
    const startedMs = performance.now();
    await seed(urls);
    expect(performance.now() - startedMs).toBeLessThan(Math.max(1_000, firstMs));
    expect(await rows("catalog", "SELECT COUNT(*) AS count FROM products")).toEqual([{ count: "10000" }]);
    expect(await rows("catalog", "SELECT SUM(product_count) AS count FROM categories")).toEqual([{ count: "10000" }]);
  });

  test("adds what is missing, and nothing else", async () => {
    await databases.get("catalog")?.execute("test.change", "UPDATE products SET name = 'Mine' WHERE sku = 'W-100100'");
    await databases
      .get("catalog")
      ?.execute("test.delete", "DELETE FROM products WHERE sku IN ('W-100101', 'W-105000')");
    await databases.get("inventory")?.execute("test.sell", "UPDATE stock SET on_hand = 1 WHERE sku = 'W-100100'");
    await seed(urls);
    expect(await rows("catalog", "SELECT COUNT(*) AS count FROM products")).toEqual([{ count: "10000" }]);
    expect(await rows("catalog", "SELECT name FROM products WHERE sku = 'W-100100'")).toEqual([{ name: "Mine" }]);
    expect(await rows("inventory", "SELECT on_hand FROM stock WHERE sku = 'W-100100'")).toEqual([{ on_hand: "1" }]);
  });
});

describe("over ten thousand products no listing reads the table:", () => {
  const matches = "MATCH (name, description) AGAINST (? IN NATURAL LANGUAGE MODE)";
  test.each([
    ["all", "SELECT name FROM products WHERE sku > ? ORDER BY sku LIMIT 21", ["W-105000"], "PRIMARY"],
    [
      "a category",
      "SELECT name FROM products WHERE category = ? AND sku > ? ORDER BY sku LIMIT 21",
      ["tea", "W-105000"],
      "products_category",
    ],
    [
      "a search",
      `SELECT name FROM products WHERE ${matches} ORDER BY ${matches} DESC, sku LIMIT 21`,
      ["coffee grinder", "coffee grinder"],
      "products_words",
    ],
  ])("%s", async (_, sql, params, key) => {
    const [plan] = await rows("catalog", `EXPLAIN ${sql}`, params);
    expect(plan?.key).toBe(key);
    expect(plan?.type).not.toBe("ALL");
    // A search sorts what it has found; a list comes in the order of its index.
    if (key !== "products_words") expect(plan?.Extra).not.toContain("filesort");
  });
});
