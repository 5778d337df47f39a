import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { apply, type Order } from "./domain.ts";
import type { StoredEvent } from "./event-rows.ts";

/**
 * Of the rules in apply(): raised with each change to them, a new field of Order included. A row that was made by other rules
 * is made anew from its events when it is loaded.
 *
 * 2: cancelCause.
 */
export const foldVersion = 2;

/** Events that an order can have at most: the state table leads nowhere twice. */
export const streamLengthMax = 7;

/** What events make of an order; from: what it was before them. Undefined without events. */
export function fold(events: readonly StoredEvent[], from?: Order): Order | undefined {
  return events.reduce<Order | undefined>((order, { event, occurredAt }) => apply(order, event, occurredAt), from);
}

/** fold() of an order that is known to exist. @throws ConnectError DATA_LOSS naming the order, if the events do not lead to the version */
export function foldTo(orderId: string, version: number, events: readonly StoredEvent[], from?: Order): Order {
  const order = fold(events, from);
  if (order?.version === version) return order;
  throw brokenStream(orderId, version, order?.version ?? 0);
}

/** An order's events end before, or after, the version that they should lead to. */
export function brokenStream(orderId: string, version: number, found: number): ConnectError {
  const message = `order ${orderId} should be at version ${version}, its events lead to ${found}`;
  return rpcError(Code.DataLoss, message, { reason: "ORDER_STREAM_BROKEN" });
}
