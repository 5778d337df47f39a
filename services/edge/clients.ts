import { type Client, createClient } from "@connectrpc/connect";
import { type Mesh, withFallback } from "@weft/mesh/client";
import { runDetached } from "@weft/mesh/context";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { CartService } from "../../gen/shop/cart/v1/cart_pb.ts";
import { CatalogService, type Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderService } from "../../gen/shop/order/v1/order_pb.ts";
import { RecommendationService, RecommendationSource } from "../../gen/shop/recommendation/v1/recommendation_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import type { ProductPageDeps } from "./usecases.ts";

/** The services behind the edge. */
export interface Clients {
  users: Client<typeof UserService>;
  catalog: Client<typeof CatalogService>;
  inventory: Client<typeof InventoryService>;
  carts: Client<typeof CartService>;
  orders: Client<typeof OrderService>;
  recommendations: Client<typeof RecommendationService>;
  analytics: Client<typeof AnalyticsService>;
}

/** How long a product's page waits for each of its parts. What is not there by then is left out. */
const timeoutsMs = { product: 1_500, stock: 300, recommended: 400, recommendedProducts: 400 };
/** A list of the best-selling products is of use without their names. */
const namesTimeoutMs = 800;
/** A part of the live feed or a picture; many wait for the same answer. */
const sharedReadTimeoutMs = 2_000;
const jwksTimeoutMs = 2_500;

export function createClients(mesh: Pick<Mesh, "transport">): Clients {
  return {
    users: createClient(UserService, mesh.transport("user")),
    catalog: createClient(CatalogService, mesh.transport("catalog")),
    inventory: createClient(InventoryService, mesh.transport("inventory")),
    carts: createClient(CartService, mesh.transport("cart")),
    orders: createClient(OrderService, mesh.transport("order")),
    recommendations: createClient(RecommendationService, mesh.transport("recommendation")),
    analytics: createClient(AnalyticsService, mesh.transport("analytics")),
  };
}

/**
 * What a product's page is made of: each part has its own limit, and all but the product itself a declared fallback.
 *
 * @param fixedSkus is recommended while the recommendation service is away
 */
export function createPageParts(clients: Clients, fixedSkus: readonly string[]): ProductPageDeps<Product> {
  return {
    async findProduct(sku, signal) {
      const { product } = await clients.catalog.getProduct({ sku }, { timeoutMs: timeoutsMs.product, signal });
      return product;
    },

    async findAvailable(sku, signal) {
      const ask = async () => {
        const options = { timeoutMs: timeoutsMs.stock, signal };
        const { levels } = await clients.inventory.batchGetStock({ skus: [sku] }, options);
        return levels[0]?.available ?? 0n;
      };
      return await withFallback<bigint | undefined>("stock", ask, () => undefined);
    },

    async findRecommended(sku, signal) {
      const ask = async () => {
        const options = { timeoutMs: timeoutsMs.recommended, signal };
        const { skus, source } = await clients.recommendations.listRecommendations({ sku }, options);
        return { skus, secondBest: source === RecommendationSource.STATIC };
      };
      const instead = () => ({ skus: fixedSkus.filter((each) => each !== sku).slice(0, 4), secondBest: true });
      return await withFallback("recommendations", ask, instead);
    },

    async findProducts(skus, signal) {
      const ask = async () => {
        const options = { timeoutMs: timeoutsMs.recommendedProducts, signal };
        const { products } = await clients.catalog.batchGetProducts({ skus: [...skus] }, options);
        return products;
      };
      return await withFallback<Product[] | undefined>("recommended-products", ask, () => undefined);
    },
  };
}

/** What products are called; undefined if the catalog does not say so in time. */
export async function findNames(
  catalog: Clients["catalog"],
  skus: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  const ask = async () => {
    const { products } = await catalog.batchGetProducts({ skus: [...skus] }, { timeoutMs: namesTimeoutMs });
    return new Map(products.map(({ sku, name }) => [sku, name]));
  };
  return await withFallback<ReadonlyMap<string, string> | undefined>("product-names", ask, () => undefined);
}

/** Reads products for everybody who waits for them: not in the name of any one call. Without those that there are not. */
export async function readProducts(
  catalog: Clients["catalog"],
  skus: readonly string[],
): Promise<Map<string, Product>> {
  const { products } = await runDetached({ timeoutMs: sharedReadTimeoutMs }, () =>
    catalog.batchGetProducts({ skus: [...skus] }),
  );
  return new Map(products.map((product) => [product.sku, product]));
}

/** Reads how many are on sale, likewise. */
export async function readAvailable(
  inventory: Clients["inventory"],
  skus: readonly string[],
): Promise<Map<string, bigint>> {
  const { levels } = await runDetached({ timeoutMs: sharedReadTimeoutMs }, () =>
    inventory.batchGetStock({ skus: [...skus] }),
  );
  return new Map(levels.map(({ sku, available }) => [sku, available]));
}

/** Asks for the public keys of access tokens. Other calls wait for the answer too, so the caller's end is not its end. */
export async function fetchJwks(users: Clients["users"]): Promise<string> {
  const { jwksJson } = await runDetached({ timeoutMs: jwksTimeoutMs }, () => users.getJwks({}));
  return jwksJson;
}
