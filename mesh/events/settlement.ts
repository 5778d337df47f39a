import { type Context, type Span, SpanKind, TraceFlags, trace } from "@opentelemetry/api";
import type { Clock, Random } from "../contract/clock.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { backoffMs } from "./backoff.ts";
import type { BrokerSession } from "./broker.ts";
import { bury, causeText } from "./dead-letter.ts";
import { type Delivery, sortDelivery, type Work } from "./delivery.ts";
import type { EventKind } from "./handler.ts";
import { isStreamFull } from "./streams.ts";

export interface SettlementOptions {
  readonly consumer: string;
  readonly deadLetterPrefix: string;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly random: Random;
  /** After this many deliveries an event is a dead letter. */
  readonly maxDeliveries: number;
}

/** What becomes of a durable consumer's deliveries, each counted, and how their handling is seen. */
export interface Settlement {
  /** Settles what no handler wants or nobody can read. Answers with the rest. */
  readable<Handler extends EventKind>(
    session: BrokerSession,
    batch: readonly Delivery[],
    handlers: ReadonlyMap<string, Handler>,
  ): Promise<Work<Handler>[]>;
  done(delivery: Delivery, outcome: "handled" | "repeated" | "unwanted"): void;
  /** Its handler failed: it is delivered again after a while, or a dead letter after maxDeliveries. */
  fail(session: BrokerSession, delivery: Delivery, cause: unknown): Promise<void>;
  /** Makes it a dead letter. */
  letGo(session: BrokerSession, delivery: Delivery, cause: unknown): Promise<void>;
  /** Runs fn in the trace of the call that made the change: a child of the event's publication. */
  inSpan<T>(work: Pick<Work, "delivery" | "event">, fn: () => Promise<T>): Promise<T>;
  /** Begins such a span for each event whose trace is recorded; to be ended when they are handled. */
  startSpans(works: readonly Pick<Work, "delivery" | "event">[]): Span[];
  /** Measures how long a handler takes. */
  measure<T>(delivery: Delivery, fn: () => Promise<T>): Promise<T>;
}

/** Somebody has to act, and is told so with each event, once a minute. */
const fullMessage =
  "the stream of dead letters is full: the event stays with its consumer until letters are redriven or discarded";

/** The wait before an event that failed is delivered again. */
const redeliveryBackoff = { initialMs: 200, maxMs: 60_000 };

export function createSettlement(options: SettlementOptions): Settlement {
  const { consumer, telemetry, clock } = options;
  const { meter, logger } = telemetry;
  const outcomes = meter.createCounter("weft.consumer.events", { description: "Events by what became of them" });
  const durations = createDurationHistogram(meter, "messaging.process.duration", "How long a handler took");

  const attributesOf = ({ message }: Delivery) => ({
    "messaging.system": "nats",
    "messaging.destination.name": message.subject,
    "messaging.consumer.group.name": consumer,
  });
  const count = (delivery: Delivery, outcome: string) => outcomes.add(1, { ...attributesOf(delivery), outcome });
  const about = ({ message, count }: Delivery) => ({
    subject: message.subject,
    stream_sequence: message.seq,
    delivery: count,
    event_id: message.headers?.get("Nats-Msg-Id"),
  });

  const spanOf = ({ delivery, event }: Pick<Work, "delivery" | "event">) => ({
    name: `process ${delivery.message.subject}`,
    options: {
      kind: SpanKind.CONSUMER,
      parent: telemetry.extract(delivery.traceHeaders),
      attributes: { ...attributesOf(delivery), "messaging.message.id": event.meta.eventId },
    },
  });

  const done: Settlement["done"] = (delivery, outcome) => {
    delivery.ack();
    count(delivery, outcome);
  };

  const putBack = (delivery: Delivery, error: unknown): void => {
    const delayMs = backoffMs(redeliveryBackoff, delivery.count, options.random);
    delivery.putBack(delayMs);
    count(delivery, "failed");
    logger.warn("event failed and will be delivered again", { ...about(delivery), delay_ms: delayMs, error });
  };

  const letGo: Settlement["letGo"] = async (session, delivery, cause) => {
    try {
      await bury(session, options.deadLetterPrefix, consumer, delivery, cause);
      count(delivery, "dead_letter");
      logger.error("event is a dead letter now", { ...about(delivery), error: cause });
    } catch (error) {
      delivery.putBack(redeliveryBackoff.maxMs);
      if (isStreamFull(error)) {
        count(delivery, "dead_letter_refused");
        logger.error(fullMessage, { ...about(delivery), cause: causeText(cause) });
      } else {
        logger.warn("dead letter could not be stored, the event stays", { ...about(delivery), error });
      }
    }
  };

  return {
    done,
    letGo,
    async fail(session, delivery, cause) {
      if (delivery.count >= options.maxDeliveries) await letGo(session, delivery, cause);
      else putBack(delivery, cause);
    },
    async readable(session, batch, handlers) {
      const work = [];
      for (const delivery of batch) {
        if (delivery.isSettled()) continue;
        const sorted = sortDelivery(delivery, handlers);
        if (sorted.kind === "unwanted") done(delivery, "unwanted");
        else if (sorted.kind === "unreadable") await letGo(session, delivery, sorted.cause);
        else work.push(sorted.work);
      }
      return work;
    },
    inSpan(work, fn) {
      const { name, options } = spanOf(work);
      return telemetry.span(name, options, fn);
    },
    startSpans(works) {
      const recorded = works.map(spanOf).filter(({ options }) => isSampled(options.parent));
      return recorded.map(({ name, options }) => telemetry.startSpan(name, options));
    },
    async measure(delivery, fn) {
      const startedMs = clock.monotonic();
      try {
        return await fn();
      } finally {
        durations.record((clock.monotonic() - startedMs) / 1000, attributesOf(delivery));
      }
    },
  };
}

function isSampled(context: Context): boolean {
  return ((trace.getSpanContext(context)?.traceFlags ?? TraceFlags.NONE) & TraceFlags.SAMPLED) !== 0;
}
