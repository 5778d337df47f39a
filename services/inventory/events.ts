import { type EventHandler, type Outbox, onEvent } from "@weft/mesh/events";
import {
  StockLowSchema,
  StockReceivedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import { OrderCancelledSchema, OrderConfirmedSchema, OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import type { ImportEvents } from "./stock-import.ts";
import { commitReservationIn, type InventoryDeps, releaseStockIn, type StockEvents } from "./usecases.ts";

/** Tells the rest of the shop through the outbox, in the transaction of the change itself. */
export function createStockEvents(outbox: Pick<Outbox, "append">): StockEvents & ImportEvents {
  return {
    async stockReserved(tx, orderId, lines) {
      await outbox.append(tx, StockReservedSchema, { orderId, lines: [...lines] }, { version: 1n });
    },
    async stockReleased(tx, orderId, lines, state) {
      // Held; sold or expired; released: a reservation's third and last version, whether or not it had a second.
      const version = state === "EXPIRED" ? 2n : 3n;
      await outbox.append(tx, StockReleasedSchema, { orderId, lines: [...lines] }, { version });
    },
    async stockLow(tx, sku, available) {
      await outbox.append(tx, StockLowSchema, { sku, available });
    },
    async stockReceived(tx, importId, lines) {
      await outbox.append(tx, StockReceivedSchema, {
        importId,
        lines: lines.map(({ quantity, ...line }) => ({ ...line, quantity: BigInt(quantity) })),
      });
    },
  };
}

/** What inventory does when it hears of an order. Order of arrival does not matter: the reservation's state decides. */
export function inventoryHandlers(deps: Pick<InventoryDeps, "stock" | "events" | "lowStockThreshold">): EventHandler[] {
  return [
    onEvent(OrderPlacedSchema, (tx, { orderId }) => deps.stock.addKnownOrder(tx, orderId)),
    onEvent(OrderConfirmedSchema, (tx, { orderId }) => commitReservationIn(tx, deps, orderId)),
    onEvent(OrderCancelledSchema, (tx, { orderId }) => releaseStockIn(tx, deps, orderId)),
  ];
}
