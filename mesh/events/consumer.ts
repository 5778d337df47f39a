import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { DeadLetters } from "../contract/dead-letters.ts";
import type { Database } from "../data/queryable.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createHandleBatch } from "./batch.ts";
import type { Broker } from "./broker.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { startDurableConsumer } from "./durable-consumer.ts";
import { bySubject, type EventHandler } from "./handler.ts";
import { createInboxStore } from "./inbox-store.ts";
import { createPurge } from "./purge.ts";
import { createInboxRedrive } from "./redrive.ts";

export interface ConsumerOptions {
  /** Names the durable consumer: all instances of a service share the work. */
  readonly service: string;
  readonly database: Database;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly handlers: readonly EventHandler[];
  /** After this many deliveries an event is a dead letter; 10 by default, which takes about a minute and a half. */
  readonly maxDeliveries?: number;
  /** Events handled in one transaction at most, 64 by default; 1 if handlers do anything outside of it. */
  readonly batchSize?: number;
  /** How long an event may wait for others of its batch: for what need not be known at once. None by default. */
  readonly gatherMs?: number;
  /** Time of a transaction, handlers included; 10 s by default. */
  readonly handlerTimeoutMs?: number;
  /** An event is delivered again when its consumer has given no sign of life for this long; 10 s by default. */
  readonly ackWaitMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A running consumer. Disposed of, it finishes what it has begun and gives the rest back. */
export interface Consumer extends AsyncDisposable {
  /** What it could not handle. */
  readonly deadLetters: DeadLetters;
}

/** The inbox remembers this many times as long as the stream keeps an event, and so as one can be delivered. */
const inboxRetentionFactor = 2;

/** Handles a service's events in the background until disposed of. */
export function startConsumer(options: ConsumerOptions): Consumer {
  const { service, database, broker, telemetry, batchSize = 64, ackWaitMs = 10_000, clock = systemClock } = options;
  const { maxDeliveries = 10, handlerTimeoutMs = 10_000, random = Math.random, gatherMs } = options;
  const handlers = bySubject(options.handlers);
  const inbox = createInboxStore(database, service);
  // As long as a letter, too: it may be redriven on its last day, a second time, after a crash before its removal.
  const retentionMs = Math.max(broker.events.maxAgeMs * inboxRetentionFactor, broker.deadLetters.maxAgeMs);
  const purge = createPurge(clock, (count) => inbox.purge(retentionMs, count));
  const handleBatch = createHandleBatch({
    consumer: service,
    deadLetterPrefix: broker.deadLetters.prefix,
    ...{ database, inbox, handlers, telemetry, clock, random, maxDeliveries, handlerTimeoutMs },
  });
  const deadLetters = createDeadLetters({
    redrive: createInboxRedrive({ consumer: service, database, inbox, handlerTimeoutMs }),
    ...{ service, broker, telemetry, handlers, handlerTimeoutMs },
  });
  const running = startDurableConsumer({
    ...{ service, broker, telemetry, batchSize, gatherMs, ackWaitMs, random },
    subjects: [...handlers.keys()],
    async handleBatch(session, batch) {
      await handleBatch(session, batch);
      await purge();
    },
  });
  return {
    deadLetters,
    async [Symbol.asyncDispose]() {
      deadLetters[Symbol.dispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}
