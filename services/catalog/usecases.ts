import type { Clock } from "@weft/mesh/contract";
import type { Database, Transact, Transaction } from "@weft/mesh/data";
import {
  type Category,
  type Money,
  type Product,
  type ProductTexts,
  productNotFound,
  type SearchPosition,
  searchPagesMax,
  searchWords,
  withPrice,
  withTexts,
} from "./domain.ts";

const pageSizeDefault = 20;
const categoriesDefault = 100;

/** Products to be shown. */
export interface ProductReads {
  findProduct(sku: string): Promise<Product | undefined>;
  /** Those of the SKUs that exist, in no particular order. */
  findProducts(skus: readonly string[]): Promise<Product[]>;
  /** The first `limit` products, of one category or all, whose SKU comes after that one, by SKU. */
  listProducts(query: { category?: string | undefined; after?: string | undefined; limit: number }): Promise<Product[]>;
  /** Products that hold at least one of the words, the best match first, those that match as well by SKU. */
  searchProducts(words: readonly string[], offset: number, limit: number): Promise<Product[]>;
  /** Categories that have products, by name. */
  listCategories(limit: number): Promise<Category[]>;
}

/** Products as they are stored. */
export interface ProductStore extends ProductReads {
  /** One to be changed, locked until the transaction ends. */
  lockProduct(tx: Transaction, sku: string): Promise<Product | undefined>;
  saveProduct(tx: Transaction, before: Product, after: Product): Promise<void>;
}

/** What the rest of the shop hears of. */
export interface CatalogEvents {
  priceChanged(tx: Transaction, before: Product, after: Product): Promise<void>;
  productUpdated(tx: Transaction, after: Product): Promise<void>;
}

/** What is called when a change is committed: what is read after it is the new. Never throws. */
export interface ProductForgetting {
  price(sku: string): Promise<void>;
  /** Texts and category, and with them the lists that it is on. */
  texts(sku: string): Promise<void>;
}

export interface CatalogDeps {
  clock: Clock;
  database: Pick<Database, "transaction">;
  products: ProductStore;
  /** What answers are read from: may be from a moment ago. */
  reads: ProductReads;
  events: CatalogEvents;
  forget: ProductForgetting;
}

/** One product. NOT_FOUND if there is none with that SKU. */
export async function getProduct({ reads }: Pick<CatalogDeps, "reads">, sku: string): Promise<Product> {
  const product = await reads.findProduct(sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}

/** Several products, in the order asked for, and the SKUs that there is no product for; `fresh`: as they are stored now. */
export async function batchGetProducts(
  { reads, products }: Pick<CatalogDeps, "reads" | "products">,
  { skus, fresh }: { skus: readonly string[]; fresh: boolean },
): Promise<{ products: Product[]; missingSkus: string[] }> {
  const found = await (fresh ? products : reads).findProducts(skus);
  const bySku = new Map(found.map((product) => [product.sku, product]));
  return {
    products: skus.flatMap((sku) => bySku.get(sku) ?? []),
    missingSkus: skus.filter((sku) => !bySku.has(sku)),
  };
}

/**
 * A page of products by SKU, of one category or all; `next` is the SKU to go on after, if there is more. A page size of 0 means 20.
 */
export async function listProducts(
  { reads }: Pick<CatalogDeps, "reads">,
  { pageSize, after, category }: { pageSize: number; after?: string | undefined; category?: string | undefined },
): Promise<{ products: Product[]; next?: string | undefined }> {
  const size = pageSize || pageSizeDefault;
  // One more than the page: whether it comes tells whether there is another page.
  const found = await reads.listProducts({ category, after, limit: size + 1 });
  const page = found.slice(0, size);
  return { products: page, next: found.length > size ? page.at(-1)?.sku : undefined };
}

/**
 * A page of the products that hold at least one of the query's words, the best match first; `next` is where the next page begins, if there is
 * one. A query without words finds nothing. A page size of 0 means 20.
 */
export async function searchProducts(
  { reads }: Pick<CatalogDeps, "reads">,
  { query, pageSize, from }: { query: string; pageSize: number; from: SearchPosition },
): Promise<{ products: Product[]; next?: SearchPosition | undefined }> {
  const words = searchWords(query);
  if (words.length === 0) return { products: [] };
  const size = pageSize || pageSizeDefault;
  const found = await reads.searchProducts(words, from.offset, size + 1);
  const isMore = found.length > size && from.page + 1 < searchPagesMax;
  return {
    products: found.slice(0, size),
    next: isMore ? { page: from.page + 1, offset: from.offset + size } : undefined,
  };
}

/** The categories that have products, by name. A page size of 0 means 100. */
export async function listCategories({ reads }: Pick<CatalogDeps, "reads">, pageSize: number): Promise<Category[]> {
  return await reads.listCategories(pageSize || categoriesDefault);
}

/**
 * Sets a product's price from now on and tells of it. The price it has already is no change and no event. NOT_FOUND if there is no such product.
 *
 * @param transact runs the transaction, once for each idempotency key
 */
export async function changePrice(
  deps: CatalogDeps,
  { sku, price }: { sku: string; price: Money },
  transact: Transact<Product> = deps.database.transaction,
): Promise<Product> {
  const product = await transact("catalog.changePrice", (tx) =>
    change(deps, tx, sku, {
      decide: (before) => withPrice(before, price, deps.clock.now()),
      tell: (before, after) => deps.events.priceChanged(tx, before, after),
    }),
  );
  // Also if there was nothing to change: this may be the repetition of a call that was cut off after its commit.
  await deps.forget.price(sku);
  return product;
}

/**
 * Changes what a product is called or how it is described, and tells of it. What it has already is no change and no event.
 * NOT_FOUND if there is no such product.
 *
 * @param transact runs the transaction, once for each idempotency key
 */
export async function updateProduct(
  deps: CatalogDeps,
  input: { sku: string } & ProductTexts,
  transact: Transact<Product> = deps.database.transaction,
): Promise<Product> {
  const product = await transact("catalog.updateProduct", (tx) =>
    change(deps, tx, input.sku, {
      decide: (before) => withTexts(before, input, deps.clock.now()),
      tell: (_before, after) => deps.events.productUpdated(tx, after),
    }),
  );
  // As above.
  await deps.forget.texts(input.sku);
  return product;
}

/** Reads, decides, writes and tells; others who change the same product wait. */
async function change(
  { products }: Pick<CatalogDeps, "products">,
  tx: Transaction,
  sku: string,
  how: { decide: (before: Product) => Product; tell: (before: Product, after: Product) => Promise<void> },
): Promise<Product> {
  const before = await products.lockProduct(tx, sku);
  if (before === undefined) throw productNotFound(sku);
  const after = how.decide(before);
  if (after === before) return before;
  await products.saveProduct(tx, before, after);
  await how.tell(before, after);
  return after;
}
