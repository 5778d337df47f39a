import type { JsMsg } from "@nats-io/jetstream";
import { decodeEvent } from "./envelope.ts";
import type { EventHandler, EventKind, ReceivedEvent } from "./handler.ts";

/** One message in hand. */
export interface Delivery {
  readonly message: Pick<JsMsg, "subject" | "data" | "headers" | "seq" | "info">;
  /** How often it has been delivered, this time included. */
  readonly count: number;
  /** W3C trace context of its publication. */
  readonly traceHeaders: Readonly<Record<string, string>>;
  /** Acknowledged or put back. */
  readonly isSettled: () => boolean;
  ack(): void;
  /** To be delivered again, after a while. */
  putBack(delayMs?: number): void;
  /** Tells the server that it is still being worked on. */
  keep(): void;
}

export function createDelivery(message: JsMsg): Delivery {
  const traceparent = message.headers?.get("traceparent");
  let settled = false;
  const settle = (how: () => void) => {
    if (!settled) how();
    settled = true;
  };
  return {
    message,
    count: message.info.deliveryCount,
    traceHeaders: traceparent ? { traceparent } : {},
    isSettled: () => settled,
    ack: () => settle(() => message.ack()),
    putBack: (delayMs) => settle(() => message.nak(delayMs)),
    keep: () => message.working(),
  };
}

/** A delivery that a handler understands. */
export interface Work<Handler extends EventKind = EventHandler> {
  readonly delivery: Delivery;
  readonly event: ReceivedEvent;
  readonly handler: Handler;
}

/** What is to become of a delivery: no handler wants it, it cannot be read, or it is to be handled. */
export type Sorted<Handler extends EventKind> =
  | { readonly kind: "unwanted" }
  | { readonly kind: "unreadable"; readonly cause: unknown }
  | { readonly kind: "work"; readonly work: Work<Handler> };

export function sortDelivery<Handler extends EventKind>(
  delivery: Delivery,
  handlers: ReadonlyMap<string, Handler>,
): Sorted<Handler> {
  const handler = handlers.get(delivery.message.subject);
  if (handler === undefined) return { kind: "unwanted" };
  try {
    return { kind: "work", work: { delivery, event: decodeEvent(delivery.message.data, handler), handler } };
  } catch (cause) {
    return { kind: "unreadable", cause };
  }
}
