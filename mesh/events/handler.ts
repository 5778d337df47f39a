import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { readEventPolicy } from "../contract/event-policy.ts";
import type { Transaction } from "../data/queryable.ts";

/** What is known of an event beside its message. */
export interface EventMeta {
  /** Unique, the same each time it is delivered. */
  readonly eventId: string;
  readonly aggregateId: string;
  /** From 1; 0n if the aggregate has no version. Events can arrive out of order: compare. */
  readonly aggregateVersion: bigint;
  readonly occurredAt: Date;
}

/** What a service does on one kind of event. Made by `onEvent`. */
export interface EventHandler {
  readonly subject: string;
  /** Full name of the message type. */
  readonly type: string;
  /** Decodes, and answers with what is to be done. @throws if the payload is no such message */
  decode(payload: Uint8Array): (tx: Transaction, meta: EventMeta) => Promise<void>;
}

/**
 * Handles one kind of event. The handler runs in the transaction that also records the event in the inbox, so what it does through
 * tx is done exactly once. Throw, and it is delivered again after a while, and ends among the dead letters after maxDeliveries.
 *
 * What it does outside of tx (an e-mail, a call) may be done again whenever a transaction rolls back: make it idempotent, and give
 * the consumer a batchSize of 1, or a failure of one event repeats the others' as well.
 *
 * @throws Error if the message has no (weft.v1.event) option, or one that makes no sense
 */
export function onEvent<Desc extends DescMessage>(
  schema: Desc,
  handle: (tx: Transaction, message: MessageShape<Desc>, meta: EventMeta) => Promise<void>,
): EventHandler {
  return {
    subject: readEventPolicy(schema).subject,
    type: schema.typeName,
    decode(payload) {
      const message = fromBinary(schema, payload);
      return (tx, meta) => handle(tx, message, meta);
    },
  };
}
