import { type EventHandler, onEvent } from "@weft/mesh/events";
import {
  CancellationCause,
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import type { Money } from "./domain.ts";
import type { MessageStore } from "./store.ts";
import { orderCancellation, orderConfirmation, orderShipment, paymentAwaited } from "./templates.ts";
import { greet, learnContact, tellOfOrder } from "./usecases.ts";

const nothing: Money = { currencyCode: "XXX", minorUnits: 0n };

/** What customers are written about. */
export function notificationHandlers(messages: Pick<MessageStore, "inbox">): EventHandler[] {
  return [
    onEvent(UserRegisteredSchema, (tx, { userId, email, displayName }, { eventId, aggregateVersion: version }) =>
      greet(messages.inbox(tx), { eventId, userId, email, displayName, version }),
    ),
    onEvent(ProfileUpdatedSchema, (tx, profile, { aggregateVersion: version }) => {
      const { userId, email, phone, pushToken, notifyByEmail, notifyBySms, notifyByPush } = profile;
      const wishes = { notifyByEmail, notifyBySms, notifyByPush };
      return learnContact(messages.inbox(tx), { userId, email, phone, pushToken, ...wishes, version });
    }),
    onEvent(OrderAwaitingPaymentSchema, (tx, event, { eventId }) => {
      const { orderId, userId, total = nothing, paymentInstructions } = event;
      const notice = paymentAwaited({ orderId, total, paymentInstructions });
      return tellOfOrder(messages.inbox(tx), { eventId, userId }, notice);
    }),
    onEvent(OrderCancelledSchema, (tx, { orderId, userId, reason, cause }, { eventId }) => {
      // An event of before there were causes says so in its reason alone, and is told with that.
      const isByCustomer = cause === CancellationCause.CUSTOMER;
      return tellOfOrder(messages.inbox(tx), { eventId, userId }, orderCancellation({ orderId, reason, isByCustomer }));
    }),
    onEvent(OrderShippedSchema, (tx, { orderId, userId, trackingNumber }, { eventId }) =>
      tellOfOrder(messages.inbox(tx), { eventId, userId }, orderShipment({ orderId, trackingNumber })),
    ),
    onEvent(OrderConfirmedSchema, (tx, { orderId, userId, lines, total = nothing }, { eventId }) => {
      const ordered = lines.map(({ name, quantity, unitPrice = nothing }) => ({ name, quantity, unitPrice }));
      return tellOfOrder(
        messages.inbox(tx),
        { eventId, userId },
        orderConfirmation({ orderId, lines: ordered, total }),
      );
    }),
  ];
}
