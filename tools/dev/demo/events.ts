import type { ReceivedSpan } from "../outside/otlp.ts";

/** An event of a trace: who published it, and who has handled it. */
export interface EventFlow {
  readonly event: string;
  readonly publisher: string;
  readonly consumers: readonly string[];
}

/** The events that a trace tells of, in the order in which they were published. */
export function eventFlows(spans: readonly ReceivedSpan[]): EventFlow[] {
  return spans
    .filter(({ kind }) => kind === "producer")
    .map((span) => {
      const event = eventName(span);
      const consumers = spans.filter((each) => each.kind === "consumer" && eventName(each) === event);
      return {
        event,
        publisher: span.service,
        consumers: [...new Set(consumers.map(({ service }) => service))].sort(),
      };
    });
}

/** "publish shop.order.v1.OrderPlaced" -> "OrderPlaced" */
function eventName({ name }: ReceivedSpan): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
