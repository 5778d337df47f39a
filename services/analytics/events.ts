import { type EventHandler, onEvents, type ReceivedEvent } from "@weft/mesh/events";
import { ProductViewedSchema } from "../../gen/shop/api/v1/events_pb.ts";
import { CartUpdatedSchema } from "../../gen/shop/cart/v1/events_pb.ts";
import { PriceChangedSchema, ProductUpdatedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import {
  StockLowSchema,
  StockReceivedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPaidSchema,
  OrderPlacedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentRefundedSchema,
} from "../../gen/shop/payment/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { checkedFact, type Fact } from "./domain.ts";
import { insertFacts } from "./store.ts";

/** All events of the shop. */
const schemas = [
  ...[ProductViewedSchema, CartUpdatedSchema],
  ...[UserRegisteredSchema, ProfileUpdatedSchema],
  ...[ProductUpdatedSchema, PriceChangedSchema],
  ...[StockReservedSchema, StockReleasedSchema, StockReceivedSchema, StockLowSchema],
  ...[OrderPlacedSchema, OrderConfirmedSchema, OrderAwaitingPaymentSchema, OrderPaidSchema, OrderShippedSchema],
  ...[OrderDeliveredSchema, OrderCancelledSchema],
  ...[PaymentAuthorizedSchema, PaymentCapturedSchema, PaymentFailedSchema, PaymentRefundedSchema],
];

/** Events that one statement inserts at most. */
export const eventsMax = 500;

/** Keeps each event as a fact. Nobody is woken: what many events add up to is worked out at once, and a moment later. */
export function analyticsHandlers(): EventHandler[] {
  return onEvents(schemas, async (tx, events) => {
    await insertFacts(tx, events.map(toFact));
  });
}

function toFact({ message, meta }: ReceivedEvent<(typeof schemas)[number]>): Fact {
  const { eventId, aggregateId, occurredAt } = meta;
  const kind = message.$typeName.slice(message.$typeName.lastIndexOf(".") + 1);
  const fact = { eventId, kind, aggregateId, occurredAt };
  switch (message.$typeName) {
    case "shop.payment.v1.PaymentCaptured":
    case "shop.payment.v1.PaymentRefunded":
      return checkedFact({ ...fact, amount: message.amount });
    case "shop.order.v1.OrderConfirmed":
      return checkedFact({ ...fact, lines: message.lines.map(({ sku, quantity }) => [sku, quantity]) });
    default:
      return fact;
  }
}
