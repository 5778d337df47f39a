import type { EventBooks } from "./facts.ts";
import type { Finding } from "./finding.ts";

const order = (...names: string[]) => names.map((name) => `shop.order.v1.${name}`);
const payment = (...names: string[]) => names.map((name) => `shop.payment.v1.${name}`);
const user = ["shop.user.v1.UserRegistered", "shop.user.v1.ProfileUpdated"];
const everyOrder = order(
  ...["OrderPlaced", "OrderAwaitingPayment", "OrderConfirmed", "OrderPaid", "OrderShipped", "OrderDelivered"],
  "OrderCancelled",
);

/** Who records which events of the outboxes in an inbox: the map in services/README.md. */
export const consumers: Readonly<Record<string, readonly string[]>> = {
  inventory: order("OrderPlaced", "OrderConfirmed", "OrderCancelled"),
  order: [...everyOrder, ...payment("PaymentCaptured", "PaymentFailed")],
  payment: order("OrderConfirmed", "OrderCancelled"),
  notification: [...user, ...order("OrderConfirmed", "OrderAwaitingPayment", "OrderShipped", "OrderCancelled")],
  recommendation: order("OrderConfirmed"),
  analytics: [
    ...[...user, ...everyOrder],
    ...payment("PaymentAuthorized", "PaymentCaptured", "PaymentFailed", "PaymentRefunded"),
    ...["PriceChanged", "ProductUpdated"].map((name) => `shop.catalog.v1.${name}`),
    ...["StockReserved", "StockReleased", "StockReceived", "StockLow"].map((name) => `shop.inventory.v1.${name}`),
  ],
};

/** Services that have an outbox. */
export const publishers: readonly string[] = ["user", "catalog", "inventory", "order", "payment"];

/** Every event is published and handled by all who consume it, or lies among the dead letters; to be asked at rest. */
export function checkEvents(
  { outbox, inbox, deadLetters }: EventBooks,
  isThere: (service: string) => boolean = () => true,
): Finding[] {
  const findings = outbox
    .filter(({ isPublished }) => !isPublished)
    .map(({ eventId: subject, type, owner }): Finding => {
      return {
        invariant: "events are published",
        kind: "unresolved",
        subject,
        detail: `${owner} has not published ${type}`,
      };
    });
  const buried = new Set(deadLetters.map(({ consumer, eventId }) => `${consumer} ${eventId}`));
  for (const [consumer, types] of Object.entries(consumers).filter(([name]) => isThere(name))) {
    const handled = inbox.get(consumer) ?? new Set();
    for (const { eventId: subject, type, aggregateId } of outbox) {
      if (!types.includes(type) || handled.has(subject) || buried.has(`${consumer} ${subject}`)) continue;
      const detail = `${consumer} has not handled ${type} of ${aggregateId}`;
      findings.push({ invariant: "events are handled by all who consume them", kind: "lost", subject, detail });
    }
  }
  return findings;
}

/** No consumer has given up an event that a service has told. What others have published, a fault's poison say, may lie there. */
export function checkDeadLetters({ outbox, deadLetters }: Pick<EventBooks, "outbox" | "deadLetters">): Finding[] {
  const told = new Map(outbox.map(({ eventId, type }) => [eventId, type]));
  return deadLetters.flatMap(({ consumer, eventId: subject, cause }): Finding[] => {
    const type = told.get(subject);
    if (type === undefined) return [];
    const detail = `${consumer} has given up ${type}: ${cause}`;
    return [{ invariant: "no event is given up", kind: "unresolved", subject, detail }];
  });
}
