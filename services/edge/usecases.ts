import type { Logger } from "@weft/mesh/telemetry";

/** What GetProduct needs of others. */
export interface ProductDeps<Product> {
  /** The signal ends the search when its answer is not needed any more. */
  findProduct(sku: string, signal: AbortSignal): Promise<Product>;
  /** How many are on sale. Bounded tightly: rejects rather than keep the page waiting. */
  findAvailable(sku: string, signal: AbortSignal): Promise<bigint>;
  logger: Logger;
}

/**
 * A product with what is left of it. Browsing does without inventory: `available` is undefined when that is not known.
 * Both are asked at once.
 */
export async function getProduct<Product>(
  deps: ProductDeps<Product>,
  sku: string,
): Promise<{ product: Product; available: bigint | undefined }> {
  const left = new AbortController();
  const stock = deps.findAvailable(sku, left.signal).catch((error: unknown) => {
    if (!left.signal.aborted) deps.logger.debug("stock is not known, the product is shown without", { sku, error });
    return undefined;
  });
  try {
    return { product: await deps.findProduct(sku, left.signal), available: await stock };
  } finally {
    left.abort();
  }
}
