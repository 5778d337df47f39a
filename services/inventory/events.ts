import { type EventHandler, type Outbox, onEvent } from "@weft/mesh/events";
import { StockReleasedSchema, StockReservedSchema } from "../../gen/shop/inventory/v1/events_pb.ts";
import { OrderCancelledSchema, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { commitReservationIn, type InventoryDeps, releaseStockIn, type StockEvents } from "./usecases.ts";

/** Tells the rest of the shop through the outbox, in the transaction of the change itself. */
export function createStockEvents(outbox: Pick<Outbox, "append">): StockEvents {
  return {
    async stockReserved(tx, orderId, lines) {
      await outbox.append(tx, StockReservedSchema, { orderId, lines: [...lines] }, { version: 1n });
    },
    async stockReleased(tx, orderId, lines) {
      // Held, sold, released: a reservation's third and last version, whether or not it was sold in between.
      await outbox.append(tx, StockReleasedSchema, { orderId, lines: [...lines] }, { version: 3n });
    },
  };
}

/** What inventory does when it hears of an order. Order of arrival does not matter: the reservation's state decides. */
export function inventoryHandlers(deps: Pick<InventoryDeps, "stock" | "events">): EventHandler[] {
  return [
    onEvent(OrderConfirmedSchema, (tx, { orderId }) => commitReservationIn(tx, deps, orderId)),
    onEvent(OrderCancelledSchema, (tx, { orderId }) => releaseStockIn(tx, deps, orderId)),
  ];
}
