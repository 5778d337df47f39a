import { createClient } from "@connectrpc/connect";
import { type Mesh, withFallback } from "@weft/mesh/client";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Product, Products } from "./domain.ts";
import type { CartDeps } from "./usecases.ts";

/** A cart does not wait longer for names and prices: without them it is still a cart. */
export const pricesTimeoutMs = 300;

/** Names and prices, of the catalog's; none while it is away or slow. */
export function createProducts(mesh: Pick<Mesh, "transport">): CartDeps["products"] {
  const client = createClient(CatalogService, mesh.transport("catalog"));
  return (skus) =>
    withFallback<Products>(
      "names-and-prices",
      async () => {
        const { products } = await client.batchGetProducts({ skus: [...skus] }, { timeoutMs: pricesTimeoutMs });
        return new Map(
          products.flatMap(({ sku, name, price }): [string, Product][] => (price ? [[sku, { sku, name, price }]] : [])),
        );
      },
      () => undefined,
    );
}
