import { Code, ConnectError } from "@connectrpc/connect";
import type { Transaction } from "@weft/mesh/data";
import { describe, expect, test } from "vitest";
import type { Product } from "./domain.ts";
import {
  batchGetProducts,
  type CatalogDeps,
  changePrice,
  listProducts,
  searchProducts,
  updateProduct,
} from "./usecases.ts";

const now = Date.parse("2026-03-01T12:00:00Z");

function product(sku: string, minorUnits = 500n): Product {
  const price = { currencyCode: "EUR", minorUnits };
  return { sku, name: sku, description: "", category: "things", price, version: 1n, updatedAt: new Date(0) };
}

/** Products in memory. */
function catalogOf(products: Product[]) {
  const bySku = new Map(products.map((p) => [p.sku, p]));
  const published: { before: Product; after: Product }[] = [];
  const told: Product[] = [];
  const forgotten: string[] = [];
  const searched: string[] = [];
  const store: CatalogDeps["products"] = {
    findProduct: async (sku) => bySku.get(sku),
    findProducts: async (skus) => [...bySku.values()].filter((p) => skus.includes(p.sku)),
    listProducts: async ({ after = "", limit }) => products.filter((p) => p.sku > after).slice(0, limit),
    searchProducts: async (words, offset, limit) => {
      searched.push(words.join(" "));
      return products.slice(offset, offset + limit);
    },
    listCategories: async () => [],
    lockProduct: async (_tx, sku) => bySku.get(sku),
    saveProduct: async (_tx, _before, changed) => void bySku.set(changed.sku, changed),
  };
  const deps: CatalogDeps = {
    clock: { now: () => now, monotonic: () => 0 },
    database: { transaction: (_name, fn) => fn({} as Transaction) },
    products: store,
    reads: store,
    forget: {
      price: async (sku) => void forgotten.push(`price ${sku}`),
      texts: async (sku) => void forgotten.push(`texts ${sku}`),
    },
    events: {
      priceChanged: async (_tx, before, after) => void published.push({ before, after }),
      productUpdated: async (_tx, after) => void told.push(after),
    },
  };
  return { deps, bySku, published, told, searched, forgotten };
}

describe("changePrice()", () => {
  const price = { currencyCode: "EUR", minorUnits: 700n };

  test("counts the version up and tells of the old and the new price", async () => {
    const { deps, published } = catalogOf([product("A")]);
    const changed = await changePrice(deps, { sku: "A", price });
    expect(changed).toMatchObject({ price, version: 2n, updatedAt: new Date(now) });
    expect(published).toEqual([{ before: product("A"), after: changed }]);
  });

  test("to the price that it has already changes nothing and tells nobody", async () => {
    const { deps, published } = catalogOf([product("A", 700n)]);
    expect(await changePrice(deps, { sku: "A", price })).toEqual(product("A", 700n));
    expect(published).toEqual([]);
  });

  test("of a product that there is not is NOT_FOUND", async () => {
    const error = await changePrice(catalogOf([]).deps, { sku: "A", price }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.NotFound });
  });
});

describe("updateProduct()", () => {
  test("changes what is named, leaves the rest, counts the version up and tells of all of it", async () => {
    const { deps, told } = catalogOf([product("A")]);
    const changed = await updateProduct(deps, { sku: "A", description: "Better." });
    expect(changed).toEqual({ ...product("A"), description: "Better.", version: 2n, updatedAt: new Date(now) });
    expect(told).toEqual([changed]);
  });

  test("empties a description, which is not the same as leaving it", async () => {
    const { deps } = catalogOf([{ ...product("A"), description: "Old." }]);
    expect((await updateProduct(deps, { sku: "A", description: "" })).description).toBe("");
  });

  test.each([
    ["to what it has already", { name: "A", category: "things" }],
    ["without naming anything", {}],
  ])("%s changes nothing and tells nobody", async (_, texts) => {
    const { deps, told } = catalogOf([product("A")]);
    expect(await updateProduct(deps, { sku: "A", ...texts })).toEqual(product("A"));
    expect(told).toEqual([]);
  });
});

test.each([
  ["a change", 800n, "New"],
  ["what is there already, as it is when a call that was cut off is repeated", 500n, "A"],
])("%s has what was cached forgotten", async (_, minorUnits, name) => {
  const { deps, forgotten } = catalogOf([product("A", 500n)]);
  await changePrice(deps, { sku: "A", price: { currencyCode: "EUR", minorUnits } });
  await updateProduct(deps, { sku: "A", name });
  expect(forgotten).toEqual(["price A", "texts A"]);
});

describe("searchProducts()", () => {
  const many = Array.from({ length: 300 }, (_, i) => product(`SKU-${String(i).padStart(3, "0")}`));
  const first = { page: 0, offset: 0 };

  test.each([
    ["words", "Espresso  Nero", "espresso nero"],
    [
      "operators of other search languages",
      `+coffee -tea "hand grinder" (wool* OR 5%) @3 ~<>`,
      "coffee tea hand grinder wool or 5 3",
    ],
    ["an injection", "x' OR 1=1; DROP TABLE products; --", "x or 1 drop table products"],
    ["control characters and a NUL", "cof\u0000fee\u0007\n", "cof fee"],
    ["accents and other scripts", "Café 咖啡 кофе", "café 咖啡 кофе"],
    ["a word twice", "pan pan PAN", "pan"],
  ])("looks for the words alone: %s", async (_, query, expected) => {
    const { deps, searched } = catalogOf(many);
    await searchProducts(deps, { query, pageSize: 0, from: first });
    expect(searched).toEqual([expected]);
  });

  test("of a long query looks for the first twenty words", async () => {
    const { deps, searched } = catalogOf(many);
    const query = Array.from({ length: 50 }, (_, i) => `w${i}`).join(" ");
    await searchProducts(deps, { query, pageSize: 0, from: first });
    expect(searched[0]?.split(" ")).toHaveLength(20);
  });

  test("finds nothing, and asks nobody, where there is no word", async () => {
    const { deps, searched } = catalogOf(many);
    expect(await searchProducts(deps, { query: "+-*()\"'%_ ", pageSize: 0, from: first })).toEqual({ products: [] });
    expect(searched).toEqual([]);
  });

  test("has at most ten pages, each product on one of them", async () => {
    const { deps } = catalogOf(many);
    const skus: string[] = [];
    let pages = 0;
    for (let from: typeof first | undefined = first; from !== undefined; pages++) {
      const page: Awaited<ReturnType<typeof searchProducts>> = await searchProducts(deps, {
        query: "thing",
        pageSize: 25,
        from,
      });
      skus.push(...page.products.map(({ sku }) => sku));
      from = page.next;
    }
    expect([pages, skus.length, new Set(skus).size]).toEqual([10, 250, 250]);
  });

  test("names no next page when the last product fills its page", async () => {
    const { deps } = catalogOf(many.slice(0, 20));
    expect((await searchProducts(deps, { query: "thing", pageSize: 0, from: first })).next).toBeUndefined();
  });
});

describe("listProducts()", () => {
  const all = Array.from({ length: 25 }, (_, i) => product(`SKU-${String(i).padStart(2, "0")}`));

  test("gives 20 where no size is asked for, and where to go on", async () => {
    const { products, next } = await listProducts(catalogOf(all).deps, { pageSize: 0 });
    expect([products.length, next]).toEqual([20, "SKU-19"]);
  });

  test("names no next page after the last product, not even when it fills its page", async () => {
    const { products, next } = await listProducts(catalogOf(all).deps, { pageSize: 5, after: "SKU-19" });
    expect([products.length, next]).toEqual([5, undefined]);
  });
});

describe("batchGetProducts()", () => {
  test("keeps the order asked for and names what does not exist", async () => {
    const { deps } = catalogOf([product("A"), product("B")]);
    const { products, missingSkus } = await batchGetProducts(deps, { skus: ["B", "X", "A", "A "], fresh: false });
    expect([products.map((p) => p.sku), missingSkus]).toEqual([
      ["B", "A"],
      ["X", "A "],
    ]);
  });

  test("reads what was kept a moment ago, unless it is to be fresh", async () => {
    const { deps } = catalogOf([product("A", 700n)]);
    const kept = { ...deps, reads: catalogOf([product("A", 500n)]).deps.reads };
    const price = async (fresh: boolean) =>
      (await batchGetProducts(kept, { skus: ["A"], fresh })).products[0]?.price.minorUnits;
    expect([await price(false), await price(true)]).toEqual([500n, 700n]);
  });
});
