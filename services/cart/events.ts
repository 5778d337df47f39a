import { type DirectPublisher, onRepeatableEvent, type RepeatableHandler } from "@weft/mesh/events";
import { CartUpdatedSchema } from "../../gen/shop/cart/v1/events_pb.ts";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { type CartDeps, emptyOrdered } from "./usecases.ts";

/** Tells of changes, without waiting: one that is lost is missed in a statistic. */
export function createUpdated(publisher: Pick<DirectPublisher, "publish">): CartDeps["updated"] {
  return (cartId, { sku, quantity }) => publisher.publish(CartUpdatedSchema, { cartId, sku, quantity });
}

/** Whoever has placed an order begins with an empty cart. */
export function cartHandlers(deps: Pick<CartDeps, "carts" | "clock">): RepeatableHandler[] {
  return [
    onRepeatableEvent(OrderPlacedSchema, ({ userId }, { occurredAt }) =>
      emptyOrdered(deps, { userId, placedAt: occurredAt }),
    ),
  ];
}
