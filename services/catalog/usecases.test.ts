import { Code, ConnectError } from "@connectrpc/connect";
import type { Transaction } from "@weft/mesh/data";
import { describe, expect, test } from "vitest";
import type { Product } from "./domain.ts";
import { batchGetProducts, type CatalogDeps, changePrice, listProducts } from "./usecases.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

function product(sku: string, minorUnits = 500n): Product {
  const price = { currencyCode: "EUR", minorUnits };
  return { sku, name: sku, description: "", price, version: 1n, updatedAt: new Date(0) };
}

/** Products in memory; `rivals` others change each product just before it is saved. */
function catalogOf(products: Product[], rivals = 0) {
  const bySku = new Map(products.map((p) => [p.sku, p]));
  const published: { before: Product; after: Product }[] = [];
  const deps: CatalogDeps = {
    clock: { now: () => NOW, monotonic: () => 0 },
    database: { transaction: (_name, fn) => fn({} as Transaction) },
    products: {
      findProduct: async (sku) => bySku.get(sku),
      findProducts: async (skus) => [...bySku.values()].filter((p) => skus.includes(p.sku)),
      listProducts: async (after = "", limit) => products.filter((p) => p.sku > after).slice(0, limit),
      savePrice: async (_tx, changed) => {
        const current = bySku.get(changed.sku) ?? product(changed.sku);
        if (rivals-- > 0) bySku.set(changed.sku, { ...current, version: current.version + 1n });
        if (bySku.get(changed.sku)?.version !== changed.version - 1n) return false;
        bySku.set(changed.sku, changed);
        return true;
      },
    },
    events: { priceChanged: async (_tx, before, after) => void published.push({ before, after }) },
  };
  return { deps, bySku, published };
}

describe("changePrice()", () => {
  const price = { currencyCode: "EUR", minorUnits: 700n };

  test("counts the version up and tells of the old and the new price", async () => {
    const { deps, published } = catalogOf([product("A")]);
    const changed = await changePrice(deps, { sku: "A", price });
    expect(changed).toMatchObject({ price, version: 2n, updatedAt: new Date(NOW) });
    expect(published).toEqual([{ before: product("A"), after: changed }]);
  });

  test("to the price that it has already changes nothing and tells nobody", async () => {
    const { deps, published } = catalogOf([product("A", 700n)]);
    expect(await changePrice(deps, { sku: "A", price })).toEqual(product("A", 700n));
    expect(published).toEqual([]);
  });

  test("decides anew when somebody else was faster", async () => {
    const { deps, published } = catalogOf([product("A")], 2);
    expect((await changePrice(deps, { sku: "A", price })).version).toBe(4n);
    expect(published.map(({ before }) => before.version)).toEqual([3n]);
  });

  test("gives up with ABORTED when others are always faster", async () => {
    const { deps, published } = catalogOf([product("A")], Number.POSITIVE_INFINITY);
    const error = await changePrice(deps, { sku: "A", price }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.Aborted });
    expect(published).toEqual([]);
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

test("batchGetProducts() keeps the order asked for and names what does not exist", async () => {
  const { deps } = catalogOf([product("A"), product("B")]);
  const { products, missingSkus } = await batchGetProducts(deps, ["B", "X", "A", "A "]);
  expect([products.map((p) => p.sku), missingSkus]).toEqual([
    ["B", "A"],
    ["X", "A "],
  ]);
});
