import type { BrokerSession, OutgoingMessage } from "./broker.ts";
import type { Delivery } from "./delivery.ts";

const causeLengthMax = 1_000;

/** The headers of a dead letter, beside traceparent. */
export const deadLetterHeaders = {
  cause: "Weft-Cause",
  consumer: "Weft-Consumer",
  deliveries: "Weft-Deliveries",
  stream: "Weft-Stream",
  streamSequence: "Weft-Stream-Sequence",
  eventId: "Weft-Event-Id",
} as const;

/**
 * Puts an event that this consumer cannot handle into the dead-letter stream, and acknowledges it once that is stored.
 *
 * The consumer counts deliveries itself and the server has no max_deliver: with one, the server would stop delivering and say so
 * once, in an advisory that is stored nowhere. If nobody listened at that moment, the event would lie in the stream with nothing
 * pending and nobody would know. This way an event is always either pending or a dead letter: if the process dies between the two
 * steps it is delivered again, and the letter's own message id keeps it from being stored twice.
 */
export async function bury(
  session: BrokerSession,
  prefix: string,
  consumer: string,
  delivery: Delivery,
  cause: unknown,
): Promise<void> {
  await session.publish(deadLetter(prefix, consumer, delivery, cause));
  delivery.ack();
}

function deadLetter(prefix: string, consumer: string, delivery: Delivery, cause: unknown): OutgoingMessage {
  const { message, count, traceHeaders } = delivery;
  const { stream, streamSequence } = message.info;
  return {
    subject: `${prefix}.${consumer}.${message.subject}`,
    id: `${consumer}.${stream}.${streamSequence}`,
    data: message.data,
    headers: {
      ...traceHeaders,
      [deadLetterHeaders.cause]: causeText(cause),
      [deadLetterHeaders.consumer]: consumer,
      [deadLetterHeaders.deliveries]: String(count),
      [deadLetterHeaders.stream]: stream,
      [deadLetterHeaders.streamSequence]: String(streamSequence),
      [deadLetterHeaders.eventId]: message.headers?.get("Nats-Msg-Id") ?? "",
    },
  };
}

/** An error as one line. */
export function causeText(cause: unknown): string {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  // A line break would end the header.
  return text.replace(/[\p{Cc}]+/gu, " ").slice(0, causeLengthMax);
}
