import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** What a product's page asks of others. The signal ends what nobody needs any more. */
export interface ProductPageDeps<Product> {
  findProduct(sku: string, signal: AbortSignal): Promise<Product | undefined>;
  /** How many can be ordered; undefined if that is not known at the moment. */
  findAvailable(sku: string, signal: AbortSignal): Promise<bigint | undefined>;
  /** What else one may like, the best first. */
  findRecommended(sku: string, signal: AbortSignal): Promise<{ skus: readonly string[]; secondBest: boolean }>;
  /** Those of the products that there are; undefined if they are not known at the moment. */
  findProducts(skus: readonly string[], signal: AbortSignal): Promise<readonly Product[] | undefined>;
}

export interface ProductPage<Product> {
  readonly product: Product | undefined;
  readonly available: bigint | undefined;
  readonly recommendations: readonly Product[];
  /** The parts that are missing or second best. */
  readonly degraded: readonly ("stock" | "recommendations")[];
}

/** A product with what is left of it, both asked at once. Does without stock. */
export async function getProduct<Product>(
  deps: Pick<ProductPageDeps<Product>, "findProduct" | "findAvailable">,
  sku: string,
): Promise<{ product: Product | undefined; available: bigint | undefined }> {
  return await together(async (signal) => {
    const [product, available] = await Promise.all([deps.findProduct(sku, signal), deps.findAvailable(sku, signal)]);
    return { product, available };
  });
}

/** All that a product's page shows. Only the product itself must be there; what else is missing is named. */
export async function getProductPage<Product extends { readonly sku: string }>(
  deps: ProductPageDeps<Product>,
  sku: string,
): Promise<ProductPage<Product>> {
  return await together(async (signal) => {
    const [product, available, recommended] = await Promise.all([
      deps.findProduct(sku, signal),
      deps.findAvailable(sku, signal),
      recommend(deps, sku, signal),
    ]);
    return {
      product,
      available,
      recommendations: recommended.products,
      degraded: [
        ...(available === undefined ? (["stock"] as const) : []),
        ...(recommended.secondBest ? (["recommendations"] as const) : []),
      ],
    };
  });
}

async function recommend<Product extends { readonly sku: string }>(
  deps: ProductPageDeps<Product>,
  sku: string,
  signal: AbortSignal,
): Promise<{ products: readonly Product[]; secondBest: boolean }> {
  const { skus, secondBest } = await deps.findRecommended(sku, signal);
  if (skus.length === 0) return { products: [], secondBest };
  const found = await deps.findProducts(skus, signal);
  if (found === undefined) return { products: [], secondBest: true };
  const bySku = new Map(found.map((product) => [product.sku, product]));
  return { products: skus.flatMap((each) => bySku.get(each) ?? []), secondBest };
}

/** What the list of the best-selling products asks of others. */
export interface TopProductsDeps {
  listTop(page: { readonly pageSize: number; readonly pageToken: string }): Promise<{
    readonly products: readonly { readonly sku: string; readonly quantity: bigint }[];
    readonly nextPageToken: string;
    /** Whether somebody else has answered in the leaderboard's place. */
    readonly degraded: boolean;
  }>;
  /** What products are called; undefined if that is not known at the moment. */
  findNames(skus: readonly string[]): Promise<ReadonlyMap<string, string> | undefined>;
}

/** A page of the best-selling products with their names, which may be missing. */
export async function listTopProducts(
  deps: TopProductsDeps,
  page: { readonly pageSize: number; readonly pageToken: string },
): Promise<{
  products: readonly { readonly sku: string; readonly name: string; readonly quantity: bigint }[];
  nextPageToken: string;
  degraded: readonly ("leaderboard" | "names")[];
}> {
  const { products, nextPageToken, degraded } = await deps.listTop(page);
  const names = products.length === 0 ? new Map() : await deps.findNames(products.map(({ sku }) => sku));
  return {
    products: products.map(({ sku, quantity }) => ({ sku, name: names?.get(sku) ?? "", quantity })),
    nextPageToken,
    degraded: [...(degraded ? (["leaderboard"] as const) : []), ...(names === undefined ? (["names"] as const) : [])],
  };
}

/** Runs calls side by side; the first that fails ends the others. */
async function together<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const left = new AbortController();
  try {
    return await run(left.signal);
  } finally {
    left.abort();
  }
}

/**
 * Whose cart a call is for: the customer's own, or without a token the visitor's, who has thought up its id.
 *
 * @throws ConnectError INVALID_ARGUMENT if there is neither
 */
export function cartIdOf(userId: string | undefined, visitorCartId: string): string {
  if (userId !== undefined) return `user:${userId}`;
  if (visitorCartId.length >= 8) return `visitor:${visitorCartId}`;
  const description = "must be 8 to 56 random characters where the call carries no access token";
  throw rpcError(Code.InvalidArgument, `visitor_cart_id ${description}`, {
    reason: "CART_UNKNOWN",
    violations: [{ field: "visitor_cart_id", description }],
  });
}
