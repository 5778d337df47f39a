import type { Transaction } from "@weft/mesh/data";
import { type EventHandler, type EventMeta, type Outbox, onEvent } from "@weft/mesh/events";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPaidSchema,
  OrderPlacedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { PaymentCapturedSchema, PaymentFailedSchema } from "../../gen/shop/payment/v1/events_pb.ts";
import type { OrderState } from "./domain.ts";
import { projectMove, projectOrder } from "./projection.ts";
import type { OrderStore, OrderStoreDeps } from "./store.ts";
import { recordCapture, recordPaymentFailure } from "./usecases.ts";

/** Publishes an order's events through the outbox; the version is the order's. OrderReserved stays inside: inventory tells of it. */
export function createPublish(outbox: Pick<Outbox, "append">): OrderStoreDeps["publish"] {
  return async (tx, event, number) => {
    const version = { version: BigInt(number) };
    switch (event.$typeName) {
      case "shop.order.v1.OrderPlaced":
        await outbox.append(tx, OrderPlacedSchema, event, version);
        break;
      case "shop.order.v1.OrderAwaitingPayment":
        await outbox.append(tx, OrderAwaitingPaymentSchema, event, version);
        break;
      case "shop.order.v1.OrderConfirmed":
        await outbox.append(tx, OrderConfirmedSchema, event, version);
        break;
      case "shop.order.v1.OrderPaid":
        await outbox.append(tx, OrderPaidSchema, event, version);
        break;
      case "shop.order.v1.OrderShipped":
        await outbox.append(tx, OrderShippedSchema, event, version);
        break;
      case "shop.order.v1.OrderDelivered":
        await outbox.append(tx, OrderDeliveredSchema, event, version);
        break;
      case "shop.order.v1.OrderCancelled":
        await outbox.append(tx, OrderCancelledSchema, event, version);
        break;
      case "shop.order.v1.OrderReserved":
        break;
    }
  };
}

/** What becomes of an order when payment has dealt with the money. */
export function orderHandlers(deps: { readonly orders: OrderStore; readonly wakeSagas: () => void }): EventHandler[] {
  return [
    onEvent(PaymentCapturedSchema, (tx, { orderId }) => recordCapture(deps.orders.unit(tx), orderId)),
    onEvent(PaymentFailedSchema, async (tx, { orderId, reason }) => {
      await recordPaymentFailure(deps.orders.unit(tx), orderId, reason);
      tx.afterCommit(deps.wakeSagas);
    }),
  ];
}

/** Feeds the read model of ListOrders with order's own events. Each may come twice, or late. */
export function historyHandlers(): EventHandler[] {
  const move =
    (state: OrderState) =>
    (tx: Transaction, event: { userId: string; orderId: string }, { aggregateVersion }: EventMeta) =>
      projectMove(tx, event, state, Number(aggregateVersion));
  return [
    onEvent(OrderPlacedSchema, (tx, { orderId }) => projectOrder(tx, orderId)),
    onEvent(OrderAwaitingPaymentSchema, move("AWAITING_PAYMENT")),
    onEvent(OrderConfirmedSchema, move("CONFIRMED")),
    onEvent(OrderPaidSchema, move("PAID")),
    onEvent(OrderShippedSchema, move("SHIPPED")),
    onEvent(OrderDeliveredSchema, move("DELIVERED")),
    onEvent(OrderCancelledSchema, move("CANCELLED")),
  ];
}
