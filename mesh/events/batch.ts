import { SpanKind, trace } from "@opentelemetry/api";
import { deadlineExceeded, runDetached } from "../context/call-context.ts";
import type { Clock, Random } from "../contract/clock.ts";
import { bounded } from "../data/bounded.ts";
import { isDatabaseUnavailable } from "../data/errors.ts";
import type { Database, Transaction } from "../data/queryable.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { backoffMs } from "./backoff.ts";
import type { BrokerSession } from "./broker.ts";
import { bury } from "./dead-letter.ts";
import { type Delivery, sortDelivery, type Work } from "./delivery.ts";
import type { EventHandler } from "./handler.ts";
import type { InboxStore } from "./inbox-store.ts";

export interface BatchDeps {
  readonly consumer: string;
  readonly database: Database;
  readonly inbox: InboxStore;
  readonly handlers: ReadonlyMap<string, EventHandler>;
  readonly deadLetterPrefix: string;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxDeliveries: number;
  readonly handlerTimeoutMs: number;
}

/**
 * Handles one batch until each of its events is acknowledged, put back or a dead letter. Rejects when the database cannot do its
 * part; what is not settled then is to be handled again.
 */
export type HandleBatch = (session: BrokerSession, batch: readonly Delivery[]) => Promise<void>;

/** The wait before an event that failed is delivered again. */
const redeliveryBackoff = { initialMs: 200, maxMs: 60_000 };

/** The handler's own failure: counts against the event. Any other is the inbox's, and does not. */
class HandlerFailure extends Error {}
/** Some events of a batch are in the inbox already. */
class RepeatedEvents extends Error {}

/**
 * Makes what handles batches. A batch is one transaction: one statement for the inbox, the handlers in order, one COMMIT, then the
 * acknowledgements. If a handler fails, each event gets a transaction of its own, so that only the one that fails waits.
 */
export function createHandleBatch(deps: BatchDeps): HandleBatch {
  const { consumer, database, inbox, telemetry, clock } = deps;
  const { meter, logger } = telemetry;
  const outcomes = meter.createCounter("weft.consumer.events", { description: "Events by what became of them" });
  const durations = createDurationHistogram(meter, "messaging.process.duration", "How long a handler took");

  const attributesOf = ({ message }: Delivery) => ({
    "messaging.system": "nats",
    "messaging.destination.name": message.subject,
    "messaging.consumer.group.name": consumer,
  });
  const count = (delivery: Delivery, outcome: string) => outcomes.add(1, { ...attributesOf(delivery), outcome });
  const done = (delivery: Delivery, outcome: "handled" | "repeated" | "unwanted") => {
    delivery.ack();
    count(delivery, outcome);
  };

  /** Runs fn in the trace of the call that made the change: a child of the event's publication. */
  const inSpan = <T>({ delivery, event }: Work, fn: () => Promise<T>): Promise<T> => {
    const attributes = { ...attributesOf(delivery), "messaging.message.id": event.meta.eventId };
    const parent = telemetry.extract(delivery.traceHeaders);
    return telemetry.span(`process ${delivery.message.subject}`, { kind: SpanKind.CONSUMER, parent, attributes }, fn);
  };

  /** Runs fn in a span that is linked with the publications of all events, a child of none. */
  const inLinkedSpan = <T>(run: readonly Work[], fn: () => Promise<T>): Promise<T> => {
    const contexts = run.map(({ delivery }) => trace.getSpanContext(telemetry.extract(delivery.traceHeaders)));
    const links = contexts.flatMap((context) => (context === undefined ? [] : { context }));
    const attributes = {
      "messaging.system": "nats",
      "messaging.consumer.group.name": consumer,
      "messaging.batch.message_count": run.length,
    };
    return telemetry.span(`process ${consumer} events`, { kind: SpanKind.CONSUMER, links, attributes }, fn);
  };

  const handle = async (tx: Transaction, run: Run): Promise<void> => {
    const [{ delivery, handler }] = run;
    const startedMs = clock.monotonic();
    const limitMs = deps.handlerTimeoutMs;
    const events = run.map(({ event }) => event);
    // Not left to the handler: one that waits for ever on something else would stop the consumer.
    const bound = { limitMs, onLimit: () => deadlineExceeded(limitMs), onAbandon: () => {} };
    try {
      await bounded(bound, () => handler.handle(tx, events));
    } catch (cause) {
      throw new HandlerFailure("the handler failed", { cause });
    } finally {
      durations.record((clock.monotonic() - startedMs) / 1000, attributesOf(delivery));
    }
  };

  const transaction = (fn: (tx: Transaction) => Promise<void>): Promise<void> =>
    runDetached({ timeoutMs: deps.handlerTimeoutMs }, () => database.transaction(`${consumer}.inbox`, fn));

  const handleTogether = async (batch: readonly Work[]): Promise<void> => {
    const ids = batch.map((work) => work.event.meta.eventId);
    await transaction(async (tx) => {
      if ((await inbox.record(tx, ids)) < ids.length) throw new RepeatedEvents();
      for (const run of runsOf(batch)) {
        if (run.length > 1) await inLinkedSpan(run, () => handle(tx, run));
        else await inSpan(run[0], () => handle(tx, run));
      }
    });
    for (const { delivery } of batch) done(delivery, "handled");
  };

  const handleAlone = async (session: BrokerSession, work: Work): Promise<void> => {
    const { delivery, event } = work;
    let repeated = false;
    try {
      await inSpan(work, () =>
        transaction(async (tx) => {
          repeated = (await inbox.record(tx, [event.meta.eventId])) === 0;
          if (!repeated) await handle(tx, [work]);
        }),
      );
      done(delivery, repeated ? "repeated" : "handled");
    } catch (error) {
      if (!isHandlers(error)) throw error;
      if (delivery.count >= deps.maxDeliveries) await letGo(session, delivery, error.cause);
      else putBack(delivery, error.cause);
    }
  };

  const about = ({ message, count }: Delivery) => ({
    subject: message.subject,
    stream_sequence: message.seq,
    delivery: count,
    event_id: message.headers?.get("Nats-Msg-Id"),
  });

  const putBack = (delivery: Delivery, error: unknown): void => {
    const delayMs = backoffMs(redeliveryBackoff, delivery.count, deps.random);
    delivery.putBack(delayMs);
    count(delivery, "failed");
    logger.warn("event failed and will be delivered again", { ...about(delivery), delay_ms: delayMs, error });
  };

  const letGo = async (session: BrokerSession, delivery: Delivery, cause: unknown): Promise<void> => {
    try {
      await bury(session, deps.deadLetterPrefix, consumer, delivery, cause);
      count(delivery, "dead_letter");
      logger.error("event is a dead letter now", { ...about(delivery), error: cause });
    } catch (error) {
      delivery.putBack(redeliveryBackoff.maxMs);
      logger.warn("dead letter could not be stored, the event stays", { ...about(delivery), error });
    }
  };

  /** Acknowledges what has had its effect before. Answers with the rest. */
  const withoutKnown = async (batch: readonly Work[]): Promise<Work[]> => {
    if (batch.length === 0) return [];
    const known = await inbox.known(batch.map((work) => work.event.meta.eventId));
    return batch.filter(({ delivery, event }) => {
      const repeated = known.has(event.meta.eventId);
      if (repeated) done(delivery, "repeated");
      return !repeated;
    });
  };

  /** Buries what was delivered too often without an outcome: its process died each time, or it was too slow each time. */
  const withoutExhausted = async (session: BrokerSession, batch: readonly Work[]): Promise<Work[]> => {
    const exhausted = batch.filter(({ delivery }) => delivery.count > deps.maxDeliveries);
    for (const { delivery } of await withoutKnown(exhausted)) {
      await letGo(session, delivery, new Error(`no outcome after ${delivery.count - 1} deliveries`));
    }
    return batch.filter(({ delivery }) => delivery.count <= deps.maxDeliveries);
  };

  const handleWork = async (session: BrokerSession, batch: readonly Work[]): Promise<void> => {
    if (batch.length > 1) {
      try {
        return await handleTogether(batch);
      } catch (error) {
        if (!isHandlers(error) && !(error instanceof RepeatedEvents)) throw error;
        if (error instanceof RepeatedEvents) {
          const rest = await withoutKnown(batch);
          if (rest.length < batch.length) return await handleWork(session, rest);
        }
      }
    }
    for (const work of batch) await handleAlone(session, work);
  };

  return async (session, batch) => {
    const work: Work[] = [];
    for (const delivery of batch) {
      if (delivery.isSettled()) continue;
      const sorted = sortDelivery(delivery, deps.handlers);
      if (sorted.kind === "unwanted") done(delivery, "unwanted");
      else if (sorted.kind === "unreadable") await letGo(session, delivery, sorted.cause);
      else work.push(sorted.work);
    }
    await handleWork(session, await withoutExhausted(session, work));
  };
}

/** Events in a row that one call of their handler takes. */
type Run = readonly [Work, ...Work[]];

function runsOf(batch: readonly Work[]): Run[] {
  const runs: [Work, ...Work[]][] = [];
  for (const work of batch) {
    const last = runs.at(-1);
    const { handle, takes } = work.handler;
    if (takes === "many" && last?.[0].handler.handle === handle) last.push(work);
    else runs.push([work]);
  }
  return runs;
}

/** A failure that counts against the event: the handler's, unless the database was only away under it. */
function isHandlers(error: unknown): error is HandlerFailure {
  return error instanceof HandlerFailure && !isDatabaseUnavailable(error);
}
