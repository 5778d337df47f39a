import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Cache, createCache, type RedisConnection } from "@weft/mesh/cache";
import type { Telemetry } from "@weft/mesh/telemetry";
import {
  type ListCategoriesResponse,
  ListCategoriesResponseSchema,
  type ListProductsResponse,
  ListProductsResponseSchema,
  type Product as ProductMessage,
  ProductSchema,
} from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Product } from "./domain.ts";
import type { ProductForgetting, ProductReads } from "./usecases.ts";

/** What the catalog keeps of what it has read. */
export interface ProductCaches {
  /** By SKU. */
  readonly products: Cache<ProductMessage>;
  /** The SKUs of list pages: a page's products are cached one by one, so that a new price is in every page at once. */
  readonly pages: Cache<ListProductsResponse>;
  /** The SKUs of pages of searches, apart from those that everybody wants: there are as many searches as people think of. */
  readonly searches: Cache<ListProductsResponse>;
  readonly categories: Cache<ListCategoriesResponse>;
}

/** A list goes sooner than a product: of products that are added no event tells. Meanwhile nobody waits for its renewal. */
const listTtlMs = 10_000;
const listStaleMs = 20_000;
const listsMax = 2_000;
/** The same for a product that was asked for before it was there. */
const negativeTtlMs = 1_000;

export interface ProductCachesOptions {
  readonly redis: RedisConnection;
  readonly telemetry: Telemetry;
  readonly ttlMs: number;
}

export function createProductCaches({ redis, telemetry, ttlMs }: ProductCachesOptions): ProductCaches {
  const shared = { redis, telemetry, negativeTtlMs };
  const list = { ...shared, ttlMs: Math.min(ttlMs, listTtlMs), staleMs: listStaleMs, entriesMax: listsMax };
  return {
    products: createCache({ ...shared, name: "catalog.product", schema: ProductSchema, ttlMs }),
    pages: createCache({ ...list, name: "catalog.page", schema: ListProductsResponseSchema }),
    searches: createCache({ ...list, name: "catalog.search", schema: ListProductsResponseSchema }),
    categories: createCache({ ...list, name: "catalog.categories", schema: ListCategoriesResponseSchema }),
  };
}

/** Forgets what a change has made old, in this process and in Redis. */
export function createForgetting({ products, ...lists }: ProductCaches): ProductForgetting {
  return {
    // No list holds a price.
    price: (sku) => products.invalidate([sku]),

    // It may be on other lists now, of whatever category it was in before and whatever words it had: all go, by a new epoch.
    async texts(sku) {
      await Promise.all([products.invalidate([sku]), ...Object.values(lists).map((list) => list.invalidateAll())]);
    },
  };
}

/** Reads through the caches. For answers, not for decisions: those read the store. */
export function createCachedReads(store: ProductReads, caches: ProductCaches): ProductReads {
  const findProducts: ProductReads["findProducts"] = async (skus) => {
    const found = await caches.products.getMany(skus, async (missing) => {
      const loaded = await store.findProducts(missing);
      return new Map(loaded.map((product) => [product.sku, toMessage(product)]));
    });
    return [...found.values()].map(toProduct);
  };

  /** A list of products whose SKUs are cached under a key. */
  const findList = async (
    lists: Cache<ListProductsResponse>,
    key: string,
    read: () => Promise<Product[]>,
  ): Promise<Product[]> => {
    let whole: Product[] | undefined;
    const list = await lists.get(key, async () => {
      whole = await read();
      return whole.length === 0 ? undefined : toSkus(whole);
    });
    if (whole !== undefined) return whole;
    const skus = list?.products.map(({ sku }) => sku) ?? [];
    const bySku = new Map((await findProducts(skus)).map((product) => [product.sku, product]));
    // A list that lacks one would look like the last page.
    return bySku.size < skus.length ? await read() : skus.flatMap((sku) => bySku.get(sku) ?? []);
  };

  return {
    findProducts,

    async findProduct(sku) {
      return (await findProducts([sku]))[0];
    },

    listProducts(query) {
      const { category = "", after = "", limit } = query;
      return findList(caches.pages, `${limit}/${category}/${after}`, () => store.listProducts(query));
    },

    searchProducts(words, offset, limit) {
      const key = `${limit}/${offset}/${words.join(" ")}`;
      return findList(caches.searches, key, () => store.searchProducts(words, offset, limit));
    },

    async listCategories(limit) {
      const found = await caches.categories.get(String(limit), async () =>
        create(ListCategoriesResponseSchema, { categories: await store.listCategories(limit) }),
      );
      return (found?.categories ?? []).map(({ name, productCount }) => ({ name, productCount }));
    },
  };
}

function toSkus(products: readonly Product[]): ListProductsResponse {
  return create(ListProductsResponseSchema, { products: products.map(({ sku }) => ({ sku })) });
}

function toMessage({ updatedAt, ...product }: Product): ProductMessage {
  return create(ProductSchema, { ...product, updatedAt: timestampFromDate(updatedAt) });
}

/** A product that was kept as the contract has it. */
export function toProduct({ sku, name, description, category, price, version, updatedAt }: ProductMessage): Product {
  const { currencyCode = "", minorUnits = 0n } = price ?? {};
  return {
    ...{ sku, name, description, category, version, price: { currencyCode, minorUnits } },
    updatedAt: updatedAt === undefined ? new Date(0) : timestampDate(updatedAt),
  };
}
