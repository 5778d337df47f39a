import { SpanKind, trace } from "@opentelemetry/api";
import { deadlineExceeded, runDetached } from "../context/call-context.ts";
import { bounded } from "../data/bounded.ts";
import type { Database, Transaction } from "../data/queryable.ts";
import type { BrokerSession } from "./broker.ts";
import type { Delivery, Work } from "./delivery.ts";
import type { EventHandler } from "./handler.ts";
import { HandlerFailure, isHandlers } from "./handler-failure.ts";
import type { InboxStore } from "./inbox-store.ts";
import { createSettlement, type SettlementOptions } from "./settlement.ts";

export interface BatchDeps extends SettlementOptions {
  readonly database: Database;
  readonly inbox: InboxStore;
  readonly handlers: ReadonlyMap<string, EventHandler>;
  readonly handlerTimeoutMs: number;
}

/**
 * Handles one batch until each of its events is acknowledged, put back or a dead letter. Rejects when the database cannot do its
 * part; what is not settled then is to be handled again.
 */
export type HandleBatch = (session: BrokerSession, batch: readonly Delivery[]) => Promise<void>;

/** Some events of a batch are in the inbox already. */
class RepeatedEvents extends Error {}

/**
 * Makes what handles batches. A batch is one transaction: one statement for the inbox, the handlers in order, one COMMIT, then the
 * acknowledgements. If a handler fails, each event gets a transaction of its own, so that only the one that fails waits.
 */
export function createHandleBatch(deps: BatchDeps): HandleBatch {
  const { consumer, database, inbox, telemetry } = deps;
  const { done, fail, letGo, inSpan, startSpans, measure, readable } = createSettlement(deps);

  /**
   * Runs fn in a span that is linked with the publications of all events, a child of none; and each event has a span in its own trace,
   * so that an order's shows everybody who heard of it.
   */
  const inLinkedSpan = async (run: readonly Work[], fn: () => Promise<void>): Promise<void> => {
    const contexts = run.map(({ delivery }) => trace.getSpanContext(telemetry.extract(delivery.traceHeaders)));
    const links = contexts.flatMap((context) => (context === undefined ? [] : { context }));
    const attributes = {
      "messaging.system": "nats",
      "messaging.consumer.group.name": consumer,
      "messaging.batch.message_count": run.length,
    };
    const spans = startSpans(run);
    try {
      await telemetry.span(`process ${consumer} events`, { kind: SpanKind.CONSUMER, links, attributes }, fn);
    } finally {
      for (const span of spans) span.end();
    }
  };

  const handle = async (tx: Transaction, run: Run): Promise<void> => {
    const [{ delivery, handler }] = run;
    const limitMs = deps.handlerTimeoutMs;
    const events = run.map(({ event }) => event);
    // Not left to the handler: one that waits for ever on something else would stop the consumer.
    const bound = { limitMs, onLimit: () => deadlineExceeded(limitMs), onAbandon: () => {} };
    try {
      await measure(delivery, () => bounded(bound, () => handler.handle(tx, events)));
    } catch (cause) {
      throw new HandlerFailure("the handler failed", { cause });
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
      await fail(session, delivery, error.cause);
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
    const work = await readable(session, batch, deps.handlers);
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
