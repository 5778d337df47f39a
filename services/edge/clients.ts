import { type Client, createClient } from "@connectrpc/connect";
import type { Mesh } from "@weft/mesh/client";
import { runDetached } from "@weft/mesh/context";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderService } from "../../gen/shop/order/v1/order_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";

/** The services behind the edge. */
export interface Clients {
  users: Client<typeof UserService>;
  catalog: Client<typeof CatalogService>;
  inventory: Client<typeof InventoryService>;
  orders: Client<typeof OrderService>;
}

/** A product's page is not kept waiting for its stock longer than this. */
const STOCK_TIMEOUT_MS = 300;
const JWKS_TIMEOUT_MS = 2_500;

export function createClients(mesh: Pick<Mesh, "transport">): Clients {
  return {
    users: createClient(UserService, mesh.transport("user")),
    catalog: createClient(CatalogService, mesh.transport("catalog")),
    inventory: createClient(InventoryService, mesh.transport("inventory")),
    orders: createClient(OrderService, mesh.transport("order")),
  };
}

/** Asks inventory how many of a product are on sale. */
export async function findAvailable(
  inventory: Clients["inventory"],
  sku: string,
  signal: AbortSignal,
): Promise<bigint> {
  const { levels } = await inventory.batchGetStock({ skus: [sku] }, { timeoutMs: STOCK_TIMEOUT_MS, signal });
  return levels[0]?.available ?? 0n;
}

/** Asks for the public keys of access tokens. Other calls wait for the answer too, so the caller's end is not its end. */
export async function fetchJwks(users: Clients["users"]): Promise<string> {
  const { jwksJson } = await runDetached({ timeoutMs: JWKS_TIMEOUT_MS }, () => users.getJwks({}));
  return jwksJson;
}
