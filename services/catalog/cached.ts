import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Cache, createCache, type RedisConnection } from "@weft/mesh/cache";
import type { Telemetry } from "@weft/mesh/telemetry";
import {
  type ListProductsResponse,
  ListProductsResponseSchema,
  type Product as ProductMessage,
  ProductSchema,
} from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Product } from "./domain.ts";
import type { ProductReads } from "./usecases.ts";

/** What the catalog keeps of what it has read. */
export interface ProductCaches {
  /** By SKU. */
  readonly products: Cache<ProductMessage>;
  /** The SKUs of list pages: a page's products are cached one by one, so that a new price is in every page at once. */
  readonly pages: Cache<ListProductsResponse>;
}

/** A page goes sooner than a product: of products that are added no event tells. */
const pageTtlMs = 10_000;
const pagesMax = 2_000;
/** The same for a product that was asked for before it was there. */
const negativeTtlMs = 1_000;

export interface ProductCachesOptions {
  readonly redis: RedisConnection;
  readonly telemetry: Telemetry;
  readonly ttlMs: number;
}

export function createProductCaches({ redis, telemetry, ttlMs }: ProductCachesOptions): ProductCaches {
  const shared = { redis, telemetry, negativeTtlMs };
  return {
    products: createCache({ ...shared, name: "catalog.product", schema: ProductSchema, ttlMs }),
    pages: createCache({
      ...{ ...shared, name: "catalog.page", schema: ListProductsResponseSchema },
      ...{ ttlMs: Math.min(ttlMs, pageTtlMs), staleMs: 0, entriesMax: pagesMax },
    }),
  };
}

/** Reads through the caches. For answers, not for decisions: a change reads the store. */
export function createCachedReads(store: ProductReads, { products, pages }: ProductCaches): ProductReads {
  const findProducts: ProductReads["findProducts"] = async (skus) => {
    const found = await products.getMany(skus, async (missing) => {
      // The database compares with padding: to it "A " is "A".
      const loaded = await store.findProducts(missing);
      return new Map(loaded.map((product) => [product.sku, toMessage(product)]));
    });
    return [...found.values()].map(toProduct);
  };
  return {
    findProducts,

    async findProduct(sku) {
      return (await findProducts([sku]))[0];
    },

    async listProducts(query) {
      const { category = "", after = "", limit } = query;
      let read: Product[] | undefined;
      const page = await pages.get(`${category}/${limit}/${after}`, async () => {
        read = await store.listProducts(query);
        return read.length === 0
          ? undefined
          : create(ListProductsResponseSchema, { products: read.map(({ sku }) => ({ sku })) });
      });
      if (read !== undefined) return read;
      const skus = page?.products.map(({ sku }) => sku) ?? [];
      const bySku = new Map((await findProducts(skus)).map((product) => [product.sku, product]));
      return skus.flatMap((sku) => bySku.get(sku) ?? []);
    },
  };
}

function toMessage({ updatedAt, ...product }: Product): ProductMessage {
  return create(ProductSchema, { ...product, updatedAt: timestampFromDate(updatedAt) });
}

function toProduct({ sku, name, description, category, price, version, updatedAt }: ProductMessage): Product {
  const { currencyCode = "", minorUnits = 0n } = price ?? {};
  return {
    ...{ sku, name, description, category, version, price: { currencyCode, minorUnits } },
    updatedAt: updatedAt === undefined ? new Date(0) : timestampDate(updatedAt),
  };
}
