import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { CancellationCause, type OrderCancelled } from "../../gen/shop/order/v1/events_pb.ts";
import type { OrderEvent } from "./domain.ts";

type OfType<T extends OrderEvent["$typeName"]> = Extract<OrderEvent, { $typeName: T }>;

/** Makes of an event what the next version of its schema would have stored. Pure, and never changed once it is released. */
type Upcaster<E> = (event: E) => E;

/**
 * By type of event: what makes version 2 of version 1, 3 of 2, and so on; none: there is one version. An event is decoded by the schema of
 * today, which protobuf allows for ever; here it gets what its meaning needs beside.
 */
const upcasters: { readonly [T in OrderEvent["$typeName"]]: readonly Upcaster<OfType<T>>[] } = {
  "shop.order.v1.OrderPlaced": [],
  "shop.order.v1.OrderReserved": [],
  "shop.order.v1.OrderAwaitingPayment": [],
  "shop.order.v1.OrderConfirmed": [],
  "shop.order.v1.OrderPaid": [],
  "shop.order.v1.OrderShipped": [],
  "shop.order.v1.OrderDelivered": [],
  "shop.order.v1.OrderCancelled": [withCause],
};

/** The version as which events of a type are stored now. */
export function schemaVersionOf(type: OrderEvent["$typeName"]): number {
  return 1 + upcasters[type].length;
}

/** An event that was stored with a version of its schema, as today's would have it. @throws ConnectError DATA_LOSS for a version that is not known */
export function upcast(event: OrderEvent, schemaVersion: number): OrderEvent {
  const known = schemaVersionOf(event.$typeName);
  if (schemaVersion < 1 || schemaVersion > known) {
    const message = `an order has a ${event.$typeName} of schema version ${schemaVersion}; 1 to ${known} are known here`;
    throw rpcError(Code.DataLoss, message, { reason: "EVENT_SCHEMA_UNKNOWN" });
  }
  // Each list holds upcasters of its own key's type, which the compiler cannot follow through the look-up.
  const steps = upcasters[event.$typeName] as readonly Upcaster<OrderEvent>[];
  return steps.slice(schemaVersion - 1).reduce((at, step) => step(at), event);
}

/** How the reasons of version 1 begin. */
const causes: readonly (readonly [reason: string, CancellationCause])[] = [
  ["out of stock: ", CancellationCause.OUT_OF_STOCK],
  ["payment declined: ", CancellationCause.PAYMENT_DECLINED],
  ["not paid in time", CancellationCause.NOT_PAID_IN_TIME],
  ["payment failed: ", CancellationCause.CAPTURE_FAILED],
  ["cancelled by the customer", CancellationCause.CUSTOMER],
];

/** OrderCancelled 2: it has a cause. Version 1 had its reason alone. */
function withCause(event: OrderCancelled): OrderCancelled {
  const [, cause = CancellationCause.UNSPECIFIED] = causes.find(([reason]) => event.reason.startsWith(reason)) ?? [];
  return { ...event, cause };
}
