import type { Clock } from "@weft/mesh/contract";
import { type EventHandler, type Outbox, onEvent } from "@weft/mesh/events";
import { OrderCancelledSchema, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentRefundedSchema,
} from "../../gen/shop/payment/v1/events_pb.ts";
import type { createPaymentStore, PaymentStoreDeps } from "./store.ts";
import { recordOrderCancelled, recordOrderConfirmed } from "./usecases.ts";

/** Publishes a payment's new state through the outbox. A void is nobody's business: the order was cancelled before. */
export function createPublish(outbox: Pick<Outbox, "append">): PaymentStoreDeps["publish"] {
  return async (tx, { orderId, state, amount, reason, version }) => {
    const money = amount === undefined ? {} : { amount };
    const options = { version: BigInt(version) };
    switch (state) {
      case "AUTHORIZED":
        await outbox.append(tx, PaymentAuthorizedSchema, { orderId, ...money }, options);
        break;
      case "CAPTURED":
        await outbox.append(tx, PaymentCapturedSchema, { orderId, ...money }, options);
        break;
      case "REFUNDED":
        await outbox.append(tx, PaymentRefundedSchema, { orderId, ...money }, options);
        break;
      case "DECLINED":
      case "FAILED":
        await outbox.append(tx, PaymentFailedSchema, { orderId, reason }, options);
        break;
      default:
        break;
    }
  };
}

/** What becomes of the money when the order's fate is known. */
export function paymentHandlers(deps: {
  readonly payments: Pick<ReturnType<typeof createPaymentStore>, "within">;
  readonly clock: Clock;
}): EventHandler[] {
  const { payments, clock } = deps;
  return [
    onEvent(OrderConfirmedSchema, (tx, { orderId }) => recordOrderConfirmed(payments.within(tx), clock, orderId)),
    onEvent(OrderCancelledSchema, (tx, { orderId }) => recordOrderCancelled(payments.within(tx), clock, orderId)),
  ];
}
