import { type EventHandler, onEvent } from "@weft/mesh/events";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { type Money, orderCancellation, orderShipment, paymentAwaited } from "./domain.ts";
import type { EmailStore } from "./store.ts";
import { confirmOrder, greet, tellOfOrder } from "./usecases.ts";

const nothing: Money = { currencyCode: "XXX", minorUnits: 0n };

/** What customers are written about. */
export function notificationHandlers(emails: Pick<EmailStore, "inbox">): EventHandler[] {
  return [
    onEvent(UserRegisteredSchema, (tx, { userId, email, displayName }, { eventId, aggregateVersion: version }) =>
      greet(emails.inbox(tx), { eventId, userId, email, displayName, version }),
    ),
    onEvent(ProfileUpdatedSchema, (tx, { userId, email, notifyByEmail }, { aggregateVersion: version }) =>
      emails.inbox(tx).saveContact({ userId, email, notifyByEmail, version }),
    ),
    onEvent(OrderAwaitingPaymentSchema, (tx, event, { eventId }) => {
      const { orderId, userId, total = nothing, paymentInstructions } = event;
      const content = paymentAwaited({ orderId, total, paymentInstructions });
      return tellOfOrder(emails.inbox(tx), { eventId, userId }, content);
    }),
    onEvent(OrderCancelledSchema, (tx, { orderId, userId, reason }, { eventId }) =>
      tellOfOrder(emails.inbox(tx), { eventId, userId }, orderCancellation({ orderId, reason })),
    ),
    onEvent(OrderShippedSchema, (tx, { orderId, userId, trackingNumber }, { eventId }) =>
      tellOfOrder(emails.inbox(tx), { eventId, userId }, orderShipment({ orderId, trackingNumber })),
    ),
    onEvent(OrderConfirmedSchema, (tx, { orderId, userId, lines, total = nothing }, { eventId }) => {
      const ordered = lines.map(({ name, quantity, unitPrice = nothing }) => ({ name, quantity, unitPrice }));
      return confirmOrder(emails.inbox(tx), { eventId, orderId, userId, lines: ordered, total });
    }),
  ];
}
