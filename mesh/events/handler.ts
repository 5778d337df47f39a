import { type DescMessage, fromBinary, type Message, type MessageShape } from "@bufbuild/protobuf";
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

/** One event of one of these kinds: its message's `$typeName` tells which. */
export type ReceivedEvent<Desc extends DescMessage = DescMessage> = Desc extends DescMessage
  ? { readonly message: MessageShape<Desc>; readonly meta: EventMeta }
  : never;

/** One kind of event: where it comes from and how it is read. */
export interface EventKind {
  readonly subject: string;
  /** Full name of the message type. */
  readonly type: string;
  readonly schema: DescMessage;
  /** @throws if the payload is no such message */
  decode(payload: Uint8Array): Message;
}

/** What a service does on one kind of event. Made by `onEvent` and `onEvents`. */
export interface EventHandler extends EventKind {
  /** Takes events that were decoded by handlers with this same function, in the order of their arrival. */
  readonly handle: (tx: Transaction, events: readonly ReceivedEvent[]) => Promise<void>;
  /** How many events `handle` takes at once: one, or all of a batch. */
  readonly takes: "one" | "many";
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
  const handleOne: EventHandler["handle"] = async (tx, events) => {
    for (const { message, meta } of events) await handle(tx, message as MessageShape<Desc>, meta);
  };
  return createHandler(schema, handleOne, "one");
}

/**
 * Handles several kinds of events together, up to the consumer's batchSize in one call, in the order of their arrival: for what
 * writes hundreds of rows in one statement. All else is as for `onEvent`. If the call fails, each event is handled again in a call
 * and a transaction of its own, so that only the one that fails waits.
 */
export function onEvents<Desc extends DescMessage>(
  schemas: readonly Desc[],
  handle: (tx: Transaction, events: readonly ReceivedEvent<Desc>[]) => Promise<void>,
): EventHandler[] {
  const handleMany: EventHandler["handle"] = (tx, events) => handle(tx, events as readonly ReceivedEvent<Desc>[]);
  return schemas.map((schema) => createHandler(schema, handleMany, "many"));
}

function createHandler(
  schema: DescMessage,
  handle: EventHandler["handle"],
  takes: EventHandler["takes"],
): EventHandler {
  return { ...kindOf(schema), handle, takes };
}

/** What is done on one kind of event and may be done again. Made by `onRepeatableEvent`. */
export interface RepeatableHandler extends EventKind {
  readonly handle: (event: ReceivedEvent) => void | Promise<void>;
}

/**
 * Handles one kind of event outside of any transaction, for what is right however often it is done and whatever came before it: to
 * drop a cached value, to empty a cart. For `startRepeatableConsumer` and `startBroadcast`.
 *
 * @throws Error if the message has no (weft.v1.event) option, or one that makes no sense
 */
export function onRepeatableEvent<Desc extends DescMessage>(
  schema: Desc,
  handle: (message: MessageShape<Desc>, meta: EventMeta) => void | Promise<void>,
): RepeatableHandler {
  return { ...kindOf(schema), handle: ({ message, meta }) => handle(message as MessageShape<Desc>, meta) };
}

/** Handlers by the subject that each is for. @throws Error if two are for one */
export function bySubject<Kind extends EventKind>(handlers: readonly Kind[]): ReadonlyMap<string, Kind> {
  const map = new Map(handlers.map((handler) => [handler.subject, handler]));
  if (map.size < handlers.length) throw new Error("a consumer has two handlers for one subject");
  return map;
}

function kindOf(schema: DescMessage): EventKind {
  const { subject } = readEventPolicy(schema);
  return { subject, type: schema.typeName, schema, decode: (payload) => fromBinary(schema, payload) };
}
