import { type EventHandler, onEvent } from "@weft/mesh/events";
import { OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import type { Money } from "./domain.ts";
import type { EmailStore } from "./store.ts";
import { confirmOrder, greet } from "./usecases.ts";

const nothing: Money = { currencyCode: "XXX", minorUnits: 0n };

/** What customers are written about. */
export function notificationHandlers(emails: Pick<EmailStore, "inbox">): EventHandler[] {
  return [
    onEvent(UserRegisteredSchema, (tx, { userId, email, displayName }, { eventId }) =>
      greet(emails.inbox(tx), { eventId, userId, email, displayName }),
    ),
    onEvent(OrderConfirmedSchema, (tx, { orderId, userId, lines, total = nothing }, { eventId }) => {
      const ordered = lines.map(({ name, quantity, unitPrice = nothing }) => ({ name, quantity, unitPrice }));
      return confirmOrder(emails.inbox(tx), { eventId, orderId, userId, lines: ordered, total });
    }),
  ];
}
