import type { Clock, Random } from "../contract/clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import { createAlarm } from "./alarm.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import type { OutboxRow, OutboxStore } from "./outbox-store.ts";
import { createPurge } from "./purge.ts";

export interface RelayOptions {
  readonly store: OutboxStore;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly random: Random;
  /** How long published rows are kept, to publish again what the broker has lost. */
  readonly retentionMs: number;
  /** Resolves when JetStream has stored it. */
  readonly publish: (session: BrokerSession, row: OutboxRow) => Promise<void>;
}

/** Publishes what is in the outbox and nobody's, in the background, until disposed of. */
export interface Relay extends AsyncDisposable {
  /** There is something to publish. */
  wake(): void;
}

/** Events in flight at once. */
const batchSize = 128;
/**
 * How long rows belong to the relay that took them: what a killed process leaves waits so long. A batch is published at once, in 5 s at most
 * (publishTimeoutMs), and then marked; one that is late all the same is published twice, well within JetStream's duplicate window.
 */
const leaseMs = 8_000;
/** The net below the wake-ups: what another instance has left behind is found within this time. */
const pollIntervalMs = 1_000;
/** An event that fails while others of its batch pass waits this long, so that it does not hold them up. */
const oddOneDelayMs = 10_000;
const failureBackoff = { initialMs: 100, maxMs: 5_000 };
const drainTimeoutMs = 3_000;

/**
 * Takes rows by lease, publishes them outside of any transaction, all at once, and marks them. It may publish an event twice (it dies
 * before marking): JetStream drops the second by its id within two minutes, and later the consumers' inboxes do.
 */
export function startRelay(options: RelayOptions): Relay {
  const { store, broker, telemetry, clock, random, publish } = options;
  const stopping = new AbortController();
  const alarm = createAlarm();
  const log = createTransitionLog(telemetry.logger, "outbox relay cannot publish", "outbox relay publishes again");
  const purgeIfDue = createPurge(clock, (count) => store.purge(options.retentionMs, count));
  let failures = 0;

  /** One batch. Answers with how many it took; throws when none of them could be published. */
  const relayBatch = async (session: BrokerSession): Promise<number> => {
    const rows = await store.claim(batchSize, leaseMs);
    const results = await Promise.allSettled(rows.map((row) => publish(session, row)));
    const published = rows.filter((_, index) => results[index]?.status === "fulfilled");
    const unpublished = rows.filter((_, index) => results[index]?.status === "rejected");
    await store.markPublished(published.map((row) => row.id));
    await store.release(
      unpublished.map((row) => row.id),
      published.length > 0 && !session.lost.aborted ? oddOneDelayMs : 0,
    );
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined && published.length === 0) throw failure.reason;
    if (failure !== undefined) {
      telemetry.logger.warn("events could not be published", { count: unpublished.length, error: failure.reason });
    }
    return rows.length;
  };

  const step = async (): Promise<void> => {
    const session = await broker.session(stopping.signal);
    const count = await relayBatch(session);
    if (failures > 0) log.worked();
    failures = 0;
    // A full batch: there may be more.
    if (count === batchSize || stopping.signal.aborted) return;
    await purgeIfDue();
    await alarm.sleep(pollIntervalMs);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await step();
      } catch (error) {
        if (stopping.signal.aborted) return;
        failures += 1;
        log.failed(error);
        // Not woken by commits: nothing that they bring could pass either. When the connection is lost, session() waits instead.
        if (broker.isConnected()) await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
      }
    }
  };

  /** What was committed a moment ago still goes out, if that is quick. */
  const drain = async (): Promise<void> => {
    const untilMs = clock.monotonic() + drainTimeoutMs;
    try {
      while (broker.isConnected() && clock.monotonic() < untilMs) {
        if ((await relayBatch(await broker.session(AbortSignal.timeout(drainTimeoutMs)))) === 0) return;
      }
    } catch {
      // The next start goes on with it.
    }
  };

  const running = run();
  let disposed: Promise<void> | undefined;
  return {
    wake: alarm.ring,
    [Symbol.asyncDispose]() {
      stopping.abort();
      alarm.ring();
      disposed ??= running.then(drain);
      return disposed;
    },
  };
}
