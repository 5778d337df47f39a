import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Product, ProductSchema } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { createLiveFeed, type LiveFeed, type LiveSubscription } from "./live-feed.ts";
import type { LiveState } from "./live-product.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** The shop as it is: what a read answers. */
const shop = {
  products: new Map<string, Product>(),
  stock: new Map<string, bigint>(),
  reads: { products: 0, stock: 0 },
  catalogAway: false,
  inventoryAway: false,
};
let feed: LiveFeed;

function setPrice(sku: string, minorUnits: bigint, version: bigint): void {
  const price = { currencyCode: "EUR", minorUnits };
  shop.products.set(sku, create(ProductSchema, { sku, name: `The ${sku}`, price, version }));
}

function createFeed(limits = {}): LiveFeed {
  return createLiveFeed({
    async readProducts(skus) {
      shop.reads.products += 1;
      if (shop.catalogAway) throw new Error("away");
      return new Map(skus.flatMap((sku) => (shop.products.has(sku) ? [[sku, shop.products.get(sku) as Product]] : [])));
    },
    async readAvailable(skus) {
      shop.reads.stock += 1;
      if (shop.inventoryAway) throw new Error("away");
      return new Map(skus.map((sku) => [sku, shop.stock.get(sku) ?? 0n]));
    },
    logger,
    limits: { coalesceMs: 2, readAgainMs: 10, ...limits },
  });
}

beforeEach(() => {
  Object.assign(shop, { reads: { products: 0, stock: 0 }, catalogAway: false, inventoryAway: false });
  shop.products.clear();
  shop.stock.clear();
  setPrice("CUP", 450n, 1n);
  shop.stock.set("CUP", 7n);
  feed = createFeed();
});
afterEach(() => feed[Symbol.asyncDispose]());

function open(...skus: string[]): LiveSubscription {
  const subscription = feed.open();
  subscription.subscribe(skus);
  return subscription;
}

const brief = (state: LiveState | undefined) =>
  state && `${state.sku} ${state.price?.minorUnits ?? "-"} ${state.available ?? "-"}`;
const next = async (subscription: LiveSubscription) => brief(await subscription.next());

describe("the live feed", () => {
  test("tells a product as it is, then each change of price and stock", async () => {
    const caller = open("CUP");
    expect(await next(caller)).toBe("CUP 450 7");
    setPrice("CUP", 500n, 2n);
    feed.productChanged("CUP", 2n);
    expect(await next(caller)).toBe("CUP 500 7");
    shop.stock.set("CUP", 6n);
    feed.stockChanged(["CUP"]);
    expect(await next(caller)).toBe("CUP 500 6");
  });

  test("reads a product once for all who follow it, and says nothing where nothing has changed", async () => {
    const callers = Array.from({ length: 50 }, () => open("CUP"));
    expect(await Promise.all(callers.map(next))).toEqual(callers.map(() => "CUP 450 7"));
    expect(shop.reads).toEqual({ products: 1, stock: 1 });
    feed.stockChanged(["CUP"]);
    await expect.poll(() => shop.reads.stock).toBe(2);
    shop.stock.set("CUP", 1n);
    feed.stockChanged(["CUP"]);
    expect(await Promise.all(callers.map(next))).toEqual(callers.map(() => "CUP 450 1"));
  });

  test("reads what is asked for together in one call", async () => {
    const skus = Array.from({ length: 90 }, (_, index) => `P${index}`);
    const caller = open(...skus);
    for (const sku of skus) expect(await next(caller)).toBe(`${sku} - 0`);
    expect(shop.reads).toEqual({ products: 1, stock: 1 });
  });

  test("tells a caller who comes back the present at once", async () => {
    expect(await next(open("CUP"))).toBe("CUP 450 7");
    const reads = { ...shop.reads };
    expect(await next(open("CUP"))).toBe("CUP 450 7");
    expect(shop.reads).toEqual(reads);
  });

  test("tells who reads slowly the newest state only", async () => {
    const slow = open("CUP");
    const quick = open("CUP");
    expect(await next(quick)).toBe("CUP 450 7");
    for (let left = 6n; left >= 0n; left -= 1n) {
      shop.stock.set("CUP", left);
      feed.stockChanged(["CUP"]);
      expect(await next(quick)).toBe(`CUP 450 ${left}`);
    }
    expect(await next(slow)).toBe("CUP 450 0");
    slow.close();
    expect(await slow.next()).toBeUndefined();
  });

  test("does not take a price for the present that is older than the change it heard of", async () => {
    const caller = open("CUP");
    await next(caller);
    const told = next(caller);
    feed.productChanged("CUP", 2n);
    await expect.poll(() => shop.reads.products).toBeGreaterThan(2);
    setPrice("CUP", 500n, 2n);
    expect(await told).toBe("CUP 500 7");
    const { products } = shop.reads;
    feed.productChanged("CUP", 2n);
    feed.stockChanged(["CUP"]);
    await expect.poll(() => shop.reads.stock).toBe(2);
    expect(shop.reads.products).toBe(products);
  });

  test("goes on without stock while inventory is away, and tells it when it is back", async () => {
    shop.inventoryAway = true;
    const caller = open("CUP");
    expect(await next(caller)).toBe("CUP 450 -");
    shop.inventoryAway = false;
    expect(await next(caller)).toBe("CUP 450 7");
  });

  test("says nothing of a product while nothing is known of it, and keeps what it knew", async () => {
    const early = open("CUP");
    await next(early);
    shop.catalogAway = true;
    const late = open("POT", "CUP");
    expect(await next(late)).toBe("CUP 450 7");
    const told = next(late);
    setPrice("POT", 900n, 1n);
    shop.catalogAway = false;
    expect(await told).toBe("POT 900 0");
  });

  test("tells of a product that does not exist with nothing but its SKU", async () => {
    expect(await open("NONE").next()).toEqual({ sku: "NONE", name: "", price: undefined, available: 0n });
  });

  test("says nothing more of what is unsubscribed, and forgets what nobody follows", async () => {
    const caller = open("CUP", "POT");
    await next(caller);
    await next(caller);
    caller.unsubscribe(["CUP", "NEVER"]);
    const reads = { ...shop.reads };
    shop.stock.set("CUP", 0n);
    feed.stockChanged(["CUP"]);
    shop.stock.set("POT", 2n);
    feed.stockChanged(["POT"]);
    expect(await next(caller)).toBe("POT - 2");
    expect(shop.reads.stock).toBe(reads.stock + 1);
  });

  test("reads everything again after a gap", async () => {
    const caller = open("CUP");
    await next(caller);
    setPrice("CUP", 1n, 9n);
    shop.stock.set("CUP", 1n);
    feed.refreshAll();
    expect(await next(caller)).toBe("CUP 1 1");
  });

  test("bounds what one caller follows, how many there are, and what they follow together", async () => {
    await feed[Symbol.asyncDispose]();
    feed = createFeed({ skusPerSubscriptionMax: 2, subscriptionsMax: 3, skusMax: 3 });
    const one = open("A", "B");
    expect(() => one.subscribe(["C"])).toThrow(/2 products at once/);
    one.subscribe(["A"]);
    const two = open("B", "C");
    const three = feed.open();
    expect(() => three.subscribe(["D"])).toThrow(expect.objectContaining({ code: Code.ResourceExhausted }));
    expect(() => feed.open()).toThrow(expect.objectContaining({ code: Code.ResourceExhausted }));
    two.close();
    three.subscribe(["D"]);
    feed.open();
  });

  test("ends a wait when it is closed, with the error if there is one", async () => {
    const [quiet, failed] = [feed.open(), feed.open()];
    const ends = [quiet.next(), failed.next()];
    quiet.close();
    failed.close(new Error("bad request"));
    expect(await ends[0]).toBeUndefined();
    await expect(ends[1]).rejects.toThrow("bad request");
    const last = feed.open().next();
    await feed[Symbol.asyncDispose]();
    expect(await last).toBeUndefined();
  });
});
