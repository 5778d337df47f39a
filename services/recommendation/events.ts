import { type EventHandler, onEvents } from "@weft/mesh/events";
import { type ProductViewed, ProductViewedSchema } from "../../gen/shop/api/v1/events_pb.ts";
import { type OrderConfirmed, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { checkedSku, countSkus } from "./domain.ts";
import { addViews, countOrders } from "./store.ts";

/** Events that one transaction counts at most. */
export const eventsMax = 200;

/** Counts what is bought together, and what is looked at. */
export function recommendationHandlers(): EventHandler[] {
  return onEvents([OrderConfirmedSchema, ProductViewedSchema], async (tx, events) => {
    const messages = events.map(({ message }) => message);
    const orders = messages.filter(isOrder).map(({ orderId, lines }) => {
      return { orderId, skus: lines.map(({ sku }) => checkedSku(sku)) };
    });
    const views = messages.filter(isView).map(({ sku }) => checkedSku(sku));
    await countOrders(tx, orders);
    await addViews(tx, countSkus(views));
  });
}

function isOrder(message: OrderConfirmed | ProductViewed): message is OrderConfirmed {
  return message.$typeName === OrderConfirmedSchema.typeName;
}

function isView(message: OrderConfirmed | ProductViewed): message is ProductViewed {
  return message.$typeName === ProductViewedSchema.typeName;
}
