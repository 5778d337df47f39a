import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { newUlid } from "../data/id.ts";
import type { Database, Transaction } from "../data/queryable.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import { encodeEvent } from "./envelope.ts";
import { createFreshEvents } from "./fresh-events.ts";
import { createOutboxStore, type OutboxRow, type OutboxStore } from "./outbox-store.ts";
import { createPublishEvent } from "./publish.ts";
import { startRelay } from "./relay.ts";

export interface OutboxOptions {
  readonly database: Database;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How long published events are kept; 7 days by default. */
  readonly retentionMs?: number;
}

/** Domain events that are published if, and only if, the transaction that they were written in commits. */
export interface Outbox extends AsyncDisposable {
  /**
   * Writes an event in the transaction of the change it tells of. Subject and key come from the message's (weft.v1.event) option.
   * `version` is the aggregate's after the change. Answers with the event's id.
   *
   * @throws Error naming the message type if it is no domain event, has no key or is larger than eventBytesMax
   */
  append<Desc extends DescMessage>(
    tx: Transaction,
    schema: Desc,
    message: MessageInitShape<Desc>,
    options?: { readonly version?: bigint },
  ): Promise<string>;
  /** There is something to publish that no commit here has told of. */
  wake(): void;
}

const weekMs = 7 * 86_400_000;

/** Creates an outbox and the relay that empties it. Its table is one of `eventMigrations`. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { database, broker, telemetry, clock = systemClock, random = Math.random, retentionMs = weekMs } = options;
  const store = createOutboxStore(database);
  const publishEvent = createPublishEvent(telemetry);
  const publish = (session: BrokerSession, row: OutboxRow): Promise<void> => {
    const { event_id: eventId, subject, envelope } = row;
    return publishEvent(session, { eventId, subject, envelope, traceparent: row.traceparent ?? undefined });
  };
  const relay = startRelay({ store, broker, telemetry, clock, random, retentionMs, publish });
  const fresh = createFreshEvents({ store, broker, publish, onLeft: relay.wake });
  const stopMeasuring = measureBacklog(telemetry, store);
  return {
    async append(tx, schema, message, { version = 0n } = {}) {
      const eventId = newUlid({ clock, random });
      const event = encodeEvent(schema, message, { eventId, version, occurredAtMs: clock.now() });
      if (!event.subject.startsWith(`${broker.events.prefix}.`)) {
        throw new Error(`${schema.typeName}: no stream takes its subject ${event.subject}`);
      }
      const { traceparent } = telemetry.inject();
      const leaseMs = fresh.lease();
      const id = await store.insert(tx, event, { traceparent, leaseMs });
      const { subject, bytes: envelope } = event;
      const row = { id, event_id: eventId, subject, envelope, traceparent: traceparent ?? null };
      tx.afterCommit(leaseMs === undefined ? relay.wake : () => fresh.publish(row));
      return eventId;
    },
    wake: relay.wake,
    async [Symbol.asyncDispose]() {
      stopMeasuring();
      await fresh[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

function measureBacklog(telemetry: Telemetry, store: OutboxStore): () => void {
  const { meter } = telemetry;
  const pending = meter.createObservableGauge("weft.outbox.pending", { description: "Events not published yet" });
  const oldestAge = meter.createObservableGauge("weft.outbox.oldest_age", {
    unit: "s",
    description: "Age of the oldest event not published yet",
  });
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (result) => {
    // With the database away there is nothing to say, and its own metrics say so.
    const backlog = await store.backlog().catch(() => undefined);
    if (backlog === undefined) return;
    result.observe(pending, backlog.pending);
    result.observe(oldestAge, backlog.oldestAgeMs / 1000);
  };
  meter.addBatchObservableCallback(observe, [pending, oldestAge]);
  return () => meter.removeBatchObservableCallback(observe, [pending, oldestAge]);
}
