import { AckPolicy, type Consumer, DeliverPolicy } from "@nats-io/jetstream";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { Database } from "../data/queryable.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import { createHandleBatch } from "./batch.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import type { Delivery } from "./delivery.ts";
import type { EventHandler } from "./handler.ts";
import { createInboxStore } from "./inbox-store.ts";
import { startPull } from "./pull.ts";
import { createPurge } from "./purge.ts";
import { nanoseconds } from "./streams.ts";
import { commonSubject } from "./subjects.ts";
import { createTransitionLog } from "./transition-log.ts";

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
  /** Time of a transaction, handlers included; 10 s by default. */
  readonly handlerTimeoutMs?: number;
  /** An event is delivered again when its consumer has given no sign of life for this long; 10 s by default. */
  readonly ackWaitMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Unacknowledged events of all instances of a service together. */
const ackPendingMax = 1_000;
const failureBackoff = { initialMs: 100, maxMs: 2_000 };
/** The inbox remembers this many times as long as the stream keeps an event, and so as one can be delivered. */
const inboxRetentionFactor = 2;

/** Handles a service's events in the background until disposed of; then it finishes what it has begun and gives the rest back. */
export function startConsumer(options: ConsumerOptions): AsyncDisposable {
  const { service, database, broker, telemetry, batchSize = 64, ackWaitMs = 10_000, clock = systemClock } = options;
  const { maxDeliveries = 10, handlerTimeoutMs = 10_000, random = Math.random } = options;
  const handlers = bySubject(options.handlers);
  const filter = commonSubject([...handlers.keys()]);
  const inbox = createInboxStore(database, service);
  const purge = createPurge(clock, (count) => inbox.purge(broker.events.maxAgeMs * inboxRetentionFactor, count));
  const handleBatch = createHandleBatch({
    consumer: service,
    deadLetterPrefix: broker.deadLetters.prefix,
    ...{ database, inbox, handlers, telemetry, clock, random, maxDeliveries, handlerTimeoutMs },
  });
  const stopping = new AbortController();
  const log = createTransitionLog(telemetry.logger, "consumer cannot work", "consumer works again");

  /** However long the database is away: giving events back would have them counted as delivered, and buried in the end. */
  const work = async (session: BrokerSession, batch: readonly Delivery[]): Promise<void> => {
    for (let failures = 1; ; failures += 1) {
      try {
        await handleBatch(session, batch);
        await purge();
        return log.worked();
      } catch (error) {
        log.failed(error);
        await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
        if (stopping.signal.aborted) break;
      }
    }
    for (const delivery of batch) delivery.putBack();
  };

  const consume = async (session: BrokerSession): Promise<void> => {
    const consumer = await ensureConsumer(session, broker.events.name, service, filter, ackWaitMs);
    log.worked();
    const pull = startPull(consumer, batchSize);
    const ends = AbortSignal.any([stopping.signal, session.lost]);
    ends.addEventListener("abort", pull.stop);
    let batch: Delivery[] = [];
    const keeping = setInterval(() => {
      if (session.lost.aborted) return;
      pull.keep();
      for (const delivery of batch) if (!delivery.isSettled()) delivery.keep();
    }, ackWaitMs / 3);
    try {
      while (!ends.aborted) {
        batch = await pull.take(batchSize);
        if (batch.length > 0) await work(session, batch);
      }
    } finally {
      clearInterval(keeping);
      ends.removeEventListener("abort", pull.stop);
      await pull.end();
    }
  };

  const run = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        const session = await broker.session(stopping.signal);
        if (failures > 0) await session.ensureStreams();
        await consume(session);
        failures = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        failures += 1;
        if (broker.isConnected()) log.failed(error);
        await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
      }
    }
  };

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** Makes the service's durable consumer, or changes it to what is wanted now. */
async function ensureConsumer(
  session: BrokerSession,
  stream: string,
  service: string,
  filter: string,
  ackWaitMs: number,
): Promise<Consumer> {
  await session.manager.consumers.add(stream, {
    durable_name: service,
    // One filter only: nats-server 2.9 knows no filter_subjects. What no handler wants is acknowledged and forgotten.
    filter_subject: filter,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanoseconds(ackWaitMs),
    max_ack_pending: ackPendingMax,
    // Unlimited: dead-letter.ts says why.
    max_deliver: -1,
  });
  return await session.jetstream.consumers.get(stream, service);
}

function bySubject(handlers: readonly EventHandler[]): ReadonlyMap<string, EventHandler> {
  const map = new Map(handlers.map((handler) => [handler.subject, handler]));
  if (map.size < handlers.length) throw new Error("a consumer has two handlers for one subject");
  return map;
}
