import type { Clock } from "@weft/mesh/contract";
import type { Database, Transaction } from "@weft/mesh/data";
import { type Money, type Product, productContended, productNotFound, withPrice } from "./domain.ts";

/** How often changePrice decides anew when somebody else changed the product between its reading and its writing. */
const CHANGE_ATTEMPTS_MAX = 3;
const PAGE_SIZE_DEFAULT = 20;

/** Products as they are stored. */
export interface ProductStore {
  findProduct(sku: string): Promise<Product | undefined>;
  /** Those of the SKUs that exist, in no particular order. */
  findProducts(skus: readonly string[]): Promise<Product[]>;
  /** The first `limit` products whose SKU comes after that one, by SKU. */
  listProducts(after: string | undefined, limit: number): Promise<Product[]>;
  /** Stores price and version unless the product no longer has the version before; says whether it did. */
  savePrice(tx: Transaction, product: Product): Promise<boolean>;
}

/** What the rest of the shop hears of. */
export interface CatalogEvents {
  priceChanged(tx: Transaction, before: Product, after: Product): Promise<void>;
}

export interface CatalogDeps {
  clock: Clock;
  database: Pick<Database, "transaction">;
  products: ProductStore;
  events: CatalogEvents;
}

/** One product. NOT_FOUND if there is none with that SKU. */
export async function getProduct({ products }: Pick<CatalogDeps, "products">, sku: string): Promise<Product> {
  const product = await products.findProduct(sku);
  if (product === undefined) throw productNotFound(sku);
  return product;
}

/** Several products, in the order asked for, and the SKUs that there is no product for. */
export async function batchGetProducts(
  { products }: Pick<CatalogDeps, "products">,
  skus: readonly string[],
): Promise<{ products: Product[]; missingSkus: string[] }> {
  const bySku = new Map((await products.findProducts(skus)).map((product) => [product.sku, product]));
  return {
    products: skus.flatMap((sku) => bySku.get(sku) ?? []),
    missingSkus: skus.filter((sku) => !bySku.has(sku)),
  };
}

/** A page of products by SKU; `next` is the SKU to go on after, if there is more. A page size of 0 means 20. */
export async function listProducts(
  { products }: Pick<CatalogDeps, "products">,
  { pageSize, after }: { pageSize: number; after?: string | undefined },
): Promise<{ products: Product[]; next?: string | undefined }> {
  const size = pageSize || PAGE_SIZE_DEFAULT;
  // One more than the page: whether it comes tells whether there is another page.
  const found = await products.listProducts(after, size + 1);
  const page = found.slice(0, size);
  return { products: page, next: found.length > size ? page.at(-1)?.sku : undefined };
}

/**
 * Sets a product's price from now on and tells of it. The price it has already is no change and no event.
 * NOT_FOUND if there is no such product, ABORTED if others change it again and again meanwhile.
 */
export async function changePrice(deps: CatalogDeps, input: { sku: string; price: Money }): Promise<Product> {
  for (let attempt = 0; attempt < CHANGE_ATTEMPTS_MAX; attempt++) {
    const before = await getProduct(deps, input.sku);
    const after = withPrice(before, input.price, deps.clock.now());
    if (after === before) return before;
    const saved = await deps.database.transaction("catalog.changePrice", async (tx) => {
      if (!(await deps.products.savePrice(tx, after))) return false;
      await deps.events.priceChanged(tx, before, after);
      return true;
    });
    if (saved) return after;
  }
  throw productContended(input.sku);
}
