import { runInContext } from "../context/call-context.ts";
import { waitFor } from "./backoff.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import type { OutboxRow, OutboxStore } from "./outbox-store.ts";

/**
 * Events that this process has committed itself. It publishes them from memory: their rows are born with a lease, so no relay has to
 * look for them, claim them and read them back. What goes wrong on the way is left to the relay.
 */
export interface FreshEvents extends AsyncDisposable {
  /** How long a row about to be inserted belongs to this process; undefined: it is any relay's at once. */
  lease(): number | undefined;
  /** To be called after the commit of a row that was inserted with such a lease. */
  publish(row: OutboxRow): void;
}

export interface FreshEventsOptions {
  readonly store: Pick<OutboxStore, "markPublished" | "release">;
  readonly broker: Broker;
  /** Resolves when JetStream has stored it. */
  readonly publish: (session: BrokerSession, row: OutboxRow) => Promise<void>;
  /** There are rows that a relay has to publish. */
  readonly onLeft: () => void;
}

/** After a crash another relay waits no longer. A publication that takes longer is made twice, and JetStream drops one. */
const leaseMs = 5_000;
/** Events on their way at once; what comes on top is the relay's. */
const inFlightMax = 256;
/** Rows that one statement marks. */
const batchSize = 128;
/**
 * How long a mark waits for others. One that is lost with its process costs a second publication, within JetStream's duplicate window.
 */
const markDelayMs = 50;
const drainTimeoutMs = 3_000;

/** The broker is connected, so its session is there. */
const neverAborted = new AbortController().signal;

/** Begins with none. Disposing of it waits for what is on its way, and marks it. */
export function createFreshEvents({ store, broker, publish, onLeft }: FreshEventsOptions): FreshEvents {
  const inFlight = new Set<Promise<void>>();
  const published: string[] = [];
  const left: string[] = [];
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const writeAll = async (): Promise<void> => {
    while (published.length > 0) await store.markPublished(published.splice(0, batchSize));
    if (left.length === 0) return;
    while (left.length > 0) await store.release(left.splice(0, batchSize), 0);
    onLeft();
  };

  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    // A statement that failed is not repeated: when the leases have run out, the relay publishes the rows again and marks them.
    writing = writing.then(writeAll).catch(() => {});
    return writing;
  };

  const writeSoon = (): void => {
    if (published.length + left.length >= batchSize) void write();
    else timer ??= setTimeout(write, markDelayMs);
  };

  const publishOne = async (row: OutboxRow): Promise<void> => {
    try {
      if (!broker.isConnected()) throw new Error("the broker is away");
      await publish(await broker.session(neverAborted), row);
      published.push(row.id);
    } catch {
      left.push(row.id);
    }
    writeSoon();
  };

  return {
    lease: () => (!stopped && broker.isConnected() && inFlight.size < inFlightMax ? leaseMs : undefined),
    publish(row) {
      // Outside of the call whose commit it was: that ends before the marks are written.
      const work = runInContext(undefined, () => publishOne(row)).finally(() => inFlight.delete(work));
      inFlight.add(work);
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      const waited = new AbortController();
      await Promise.race([Promise.all(inFlight), waitFor(drainTimeoutMs, waited.signal)]);
      waited.abort();
      await write();
    },
  };
}
