import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { newUlid } from "../data/id.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import { createAlarm } from "./alarm.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import { encodeEvent } from "./envelope.ts";
import { createPublishEvent, type PublishedEvent } from "./publish.ts";

export interface DirectPublisherOptions {
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  /** Events that may wait at once, 1,000 by default: while the broker is away, what comes on top is dropped. */
  readonly queueLengthMax?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Publishes events that may be lost, for services without a database. What must not be lost goes through an outbox. */
export interface DirectPublisher extends AsyncDisposable {
  /**
   * Takes an event to be published in the background, in the trace of the ambient call. Neither waits nor throws: an event that
   * there is no room for, that is wrong or that JetStream refuses is dropped and counted in `weft.direct_publisher.dropped`.
   */
  publish<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): void;
}

/** Events in flight at once. */
const batchSize = 128;
const failureBackoff = { initialMs: 100, maxMs: 2_000 };
const drainTimeoutMs = 1_000;
/** A ring wakes the loop; it looks now and then all the same. */
const idleMs = 60_000;

/** Creates a publisher. Disposing of it publishes what still waits, if that is quick. */
export function createDirectPublisher(options: DirectPublisherOptions): DirectPublisher {
  const { broker, telemetry, queueLengthMax = 1_000, clock = systemClock, random = Math.random } = options;
  const { logger, meter } = telemetry;
  const dropped = meter.createCounter("weft.direct_publisher.dropped", { description: "Events that were lost" });
  const log = createTransitionLog(logger, "events cannot be published directly", "events are published directly again");
  const publishEvent = createPublishEvent(telemetry);
  const stopping = new AbortController();
  const alarm = createAlarm();
  const queue: PublishedEvent[] = [];
  let failures = 0;

  const drop = (subject: string, reason: "queue_full" | "invalid" | "refused" | "shutdown") =>
    dropped.add(1, { "messaging.destination.name": subject, reason });

  /** What fails with the connection is tried again on the next: JetStream knows its id, should it have got through. */
  const publishBatch = async (session: BrokerSession): Promise<void> => {
    const batch = queue.splice(0, batchSize);
    const results = await Promise.allSettled(batch.map((event) => publishEvent(session, event)));
    const failed = batch.filter((_, index) => results[index]?.status === "rejected");
    const failure = results.find((result) => result.status === "rejected");
    if (failure === undefined) {
      failures = 0;
      return log.worked();
    }
    failures += 1;
    log.failed(failure.reason);
    if (!session.lost.aborted) for (const { subject } of failed) drop(subject, "refused");
    else {
      queue.unshift(...failed);
      for (const { subject } of queue.splice(queueLengthMax)) drop(subject, "queue_full");
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (queue.length === 0) await alarm.sleep(idleMs);
      if (queue.length === 0) continue;
      const session = await broker.session(stopping.signal).catch(() => undefined);
      if (session === undefined) return;
      await publishBatch(session);
      if (failures > 0) await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
    }
  };

  const drain = async (): Promise<void> => {
    const untilMs = clock.monotonic() + drainTimeoutMs;
    while (queue.length > 0 && broker.isConnected() && clock.monotonic() < untilMs) {
      const session = await broker.session(AbortSignal.timeout(drainTimeoutMs)).catch(() => undefined);
      if (session === undefined) break;
      await publishBatch(session);
    }
    for (const { subject } of queue.splice(0)) drop(subject, "shutdown");
  };

  const running = run();
  let disposed: Promise<void> | undefined;
  return {
    publish(schema, message) {
      if (stopping.signal.aborted || queue.length >= queueLengthMax) {
        return drop(schema.typeName, stopping.signal.aborted ? "shutdown" : "queue_full");
      }
      try {
        const eventId = newUlid({ clock, random });
        const { subject, bytes } = encodeEvent(schema, message, { eventId, version: 0n, occurredAtMs: clock.now() });
        queue.push({ eventId, subject, envelope: bytes, traceparent: telemetry.inject().traceparent });
        alarm.ring();
      } catch (error) {
        drop(schema.typeName, "invalid");
        logger.error("an event cannot be published", { type: schema.typeName, error });
      }
    },
    [Symbol.asyncDispose]() {
      stopping.abort();
      alarm.ring();
      disposed ??= running.then(drain);
      return disposed;
    },
  };
}
