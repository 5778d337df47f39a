import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { readEventPolicy } from "../contract/event-policy.ts";
import { type EventEnvelope, EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import type { EventKind, ReceivedEvent } from "./handler.ts";

/** Largest event, envelope included: half of what NATS takes (1 MB), so that it fits with its headers in any stream. */
export const eventBytesMax = 512 * 1024;

export interface EncodedEvent {
  readonly subject: string;
  readonly envelope: EventEnvelope;
  readonly bytes: Uint8Array;
}

export interface EventFacts {
  readonly eventId: string;
  readonly version: bigint;
  readonly occurredAtMs: number;
}

/** Wraps a message for the outbox. @throws Error naming the message type if it is no domain event, or too large */
export function encodeEvent<Desc extends DescMessage>(
  schema: Desc,
  init: MessageInitShape<Desc>,
  facts: EventFacts,
): EncodedEvent {
  const { subject, keyLocalName } = readEventPolicy(schema);
  const message: MessageShape<Desc> = create(schema, init);
  const key: unknown = Reflect.get(message, keyLocalName);
  if (typeof key !== "string" || key === "")
    throw new Error(`${schema.typeName}: ${keyLocalName}, the event's key, is empty`);
  const envelope = create(EventEnvelopeSchema, {
    eventId: facts.eventId,
    type: schema.typeName,
    aggregateId: key,
    aggregateVersion: facts.version,
    occurredAt: timestampFromMs(facts.occurredAtMs),
    payload: toBinary(schema, message),
  });
  const bytes = toBinary(EventEnvelopeSchema, envelope);
  if (bytes.length > eventBytesMax) {
    throw new Error(
      `${schema.typeName}: ${bytes.length} bytes are more than an event may have (${eventBytesMax}, eventBytesMax)`,
    );
  }
  return { subject, envelope, bytes };
}

/** Unwraps what came from the broker. @throws Error if it is no event of this kind */
export function decodeEvent(data: Uint8Array, kind: EventKind): ReceivedEvent {
  const { eventId, type, aggregateId, aggregateVersion, occurredAt, payload } = fromBinary(EventEnvelopeSchema, data);
  if (!/^[\x21-\x7e]{1,64}$/.test(eventId)) throw new Error("the envelope has no usable event_id");
  if (type !== kind.type) throw new Error(`the envelope holds "${type}", and its subject is ${kind.type}'s`);
  if (occurredAt === undefined) throw new Error("the envelope has no occurred_at");
  const meta = { eventId, aggregateId, aggregateVersion, occurredAt: timestampDate(occurredAt) };
  return { meta, message: kind.decode(payload) };
}
