import { SpanKind } from "@opentelemetry/api";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { BrokerSession } from "./broker.ts";

/** An event on its way to JetStream. */
export interface PublishedEvent {
  readonly eventId: string;
  readonly subject: string;
  readonly envelope: Uint8Array;
  /** Of the call that made the change, if it was traced. */
  readonly traceparent: string | undefined;
}

/** Publishes one event, in a span of the trace of the call that made the change. Resolves when JetStream has stored it. */
export type PublishEvent = (session: BrokerSession, event: PublishedEvent) => Promise<void>;

export function createPublishEvent(telemetry: Telemetry): PublishEvent {
  const sent = telemetry.meter.createCounter("messaging.client.sent.messages", { description: "Events published" });
  return (session, { eventId: id, subject, envelope: data, traceparent }) => {
    const attributes = { "messaging.system": "nats", "messaging.destination.name": subject };
    const parent = telemetry.extract(traceparent === undefined ? {} : { traceparent });
    const span = { kind: SpanKind.PRODUCER, parent, attributes: { ...attributes, "messaging.message.id": id } };
    return telemetry.span(`publish ${subject}`, span, async () => {
      await session.publish({ id, subject, data, headers: telemetry.inject() });
      sent.add(1, attributes);
    });
  };
}
