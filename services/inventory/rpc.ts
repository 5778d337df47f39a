import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { type ImportDeps, importStock } from "./stock-import.ts";
import { batchGetStock, type InventoryDeps, releaseStock, reserveStock } from "./usecases.ts";

/** InventoryService over the use cases. */
export function inventoryRoutes(deps: InventoryDeps & ImportDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof InventoryService> = {
    async batchGetStock({ skus }) {
      const levels = await batchGetStock(deps, skus);
      return { levels: levels.map((level) => ({ ...level, available: level.onHand - level.held })) };
    },

    async reserveStock({ orderId, lines }) {
      await reserveStock(deps, { orderId, lines });
      return {};
    },

    async importStock(messages) {
      const { rejected, ...counts } = await importStock(deps, messages);
      return { ...counts, rejected: rejected.map(({ line, ...rest }) => ({ ...rest, line: BigInt(line) })) };
    },

    async releaseStock({ orderId }) {
      await releaseStock(deps, orderId);
      return {};
    },
  };
  return (router) => router.service(InventoryService, service);
}
