import { DiscardPolicy, type JetStreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";

/** A JetStream stream as this system uses it: on disk, bounded. */
export interface EventStream {
  readonly name: string;
  /** First token of its subjects: "shop" for all of shop.> */
  readonly prefix: string;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

const dayMs = 86_400_000;

/** Where domain events go. When it is full the oldest go: what they said is still in the outboxes. */
export const defaultEventStream: EventStream = {
  name: "EVENTS",
  prefix: "shop",
  maxAgeMs: 7 * dayMs,
  maxBytes: 1024 ** 3,
};

/** Where events go that could not be handled. When it is full it refuses, and they stay with their consumer. */
export const defaultDeadLetterStream: EventStream = {
  name: "DEAD_LETTERS",
  prefix: "dead",
  maxAgeMs: 30 * dayMs,
  maxBytes: 256 * 1024 ** 2,
};

/** How long JetStream knows message ids. A relay publishes again after its lease (30 s), so well within. */
const duplicateWindowMs = 120_000;
/** JetStream's "stream name already in use with a different configuration". */
const differentConfiguration = 10058;
/** JetStream's "maximum bytes exceeded". */
const bytesExceeded = 10077;

/** Makes the streams, or changes them to what is wanted. Idempotent, and harmless when several services do it at once. */
export async function ensureStreams(
  manager: JetStreamManager,
  events: EventStream,
  deadLetters: EventStream,
): Promise<void> {
  await ensureStream(manager, events, DiscardPolicy.Old);
  await ensureStream(manager, deadLetters, DiscardPolicy.New);
}

async function ensureStream(manager: JetStreamManager, stream: EventStream, discard: DiscardPolicy): Promise<void> {
  const configuration = {
    name: stream.name,
    subjects: [`${stream.prefix}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard,
    max_age: nanoseconds(stream.maxAgeMs),
    max_bytes: stream.maxBytes,
    duplicate_window: nanoseconds(duplicateWindowMs),
  };
  try {
    await manager.streams.add(configuration);
  } catch (error) {
    if ((error as { code?: unknown }).code !== differentConfiguration) throw error;
    await manager.streams.update(stream.name, configuration);
  }
}

/** Whether a publication was refused because its stream is full and keeps what it has. */
export function isStreamFull(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === bytesExceeded;
}

/** JetStream counts time in nanoseconds. */
export function nanoseconds(durationMs: number): number {
  return durationMs * 1_000_000;
}
