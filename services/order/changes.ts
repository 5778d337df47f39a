import { AsyncLocalStorage } from "node:async_hooks";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** Tells, within this process, when orders change: at once for changes made here, by polling for those made elsewhere. */
export interface OrderChanges {
  /** To be called after the commit of a change. */
  notify(orderId: string, version: number): void;
  /** @throws ConnectError RESOURCE_EXHAUSTED if as many as may are listening already */
  subscribe(orderId: string, purpose: "placing" | "watching"): OrderSubscription;
  /** Listeners at this moment. */
  counts(): { readonly placing: number; readonly watching: number };
}

/** One listener. Disposing of it is what ends it. */
export interface OrderSubscription extends Disposable {
  /**
   * Waits for a version above the given one.
   *
   * @returns false if timeoutMs went by first
   * @throws the signal's reason when it aborts
   */
  changedSince(version: number, limits: { timeoutMs?: number; signal?: AbortSignal | undefined }): Promise<boolean>;
}

export interface OrderChangesOptions {
  /** Versions of the given orders in the database. Asked only while somebody listens, for all orders at once. */
  readonly readVersions: (orderIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly onPollError: (error: unknown) => void;
  /** The net for changes made by other instances. */
  readonly pollIntervalMs?: number;
  /** Listeners at most. */
  readonly subscribersMax?: number;
  /** Those of them that may be watchers: they stay long, and orders still have to be placed. */
  readonly watchersMax?: number;
}

interface Watched {
  version: number;
  subscribers: number;
  readonly waiting: Set<() => void>;
}

/** Makes the process's own notice board of order changes. */
export function createOrderChanges(options: OrderChangesOptions): OrderChanges {
  const { pollIntervalMs = 400, subscribersMax = 2_000, watchersMax = 1_000 } = options;
  const orders = new Map<string, Watched>();
  const listening = { placing: 0, watching: 0 };
  let isPolling = false;
  // Polls serve all listeners: as a part of the call that subscribed first they would end with it, and fill its trace.
  const outsideOfCalls = AsyncLocalStorage.snapshot();

  function notify(orderId: string, version: number): void {
    const watched = orders.get(orderId);
    if (watched === undefined || watched.version >= version) return;
    watched.version = version;
    for (const wake of watched.waiting) wake();
  }

  /** Ends by itself when nobody listens: ended by the last listener, it could be reading at that moment and go on beside a new one. */
  async function poll(): Promise<void> {
    try {
      if (orders.size === 0) return;
      const versions = await options.readVersions([...orders.keys()]);
      for (const [orderId, version] of versions) notify(orderId, version);
    } catch (error) {
      options.onPollError(error);
    } finally {
      isPolling = false;
      pollLater();
    }
  }

  function pollLater(): void {
    if (isPolling || orders.size === 0) return;
    isPolling = true;
    setTimeout(() => outsideOfCalls(poll), pollIntervalMs);
  }

  function admit(purpose: "placing" | "watching"): void {
    const full = listening.placing + listening.watching >= subscribersMax;
    if (!full && (purpose === "placing" || listening.watching < watchersMax)) return;
    const limit = full ? `${subscribersMax} (subscribersMax)` : `${watchersMax} (watchersMax)`;
    throw rpcError(Code.ResourceExhausted, `this instance waits for changes of orders ${limit} times already`, {
      reason: "TOO_MANY_WATCHERS",
      retryDelayMs: 1_000,
    });
  }

  function subscribe(orderId: string, purpose: "placing" | "watching"): OrderSubscription {
    admit(purpose);
    const watched = orders.get(orderId) ?? { version: 0, subscribers: 0, waiting: new Set() };
    orders.set(orderId, watched);
    watched.subscribers += 1;
    listening[purpose] += 1;
    pollLater();
    return {
      changedSince: (version, limits) => waitFor(watched, version, limits),
      [Symbol.dispose]() {
        listening[purpose] -= 1;
        watched.subscribers -= 1;
        if (watched.subscribers === 0) orders.delete(orderId);
      },
    };
  }

  return { notify, subscribe, counts: () => ({ ...listening }) };
}

function waitFor(
  watched: Watched,
  version: number,
  limits: { timeoutMs?: number; signal?: AbortSignal | undefined },
): Promise<boolean> {
  if (watched.version > version) return Promise.resolve(true);
  const { timeoutMs, signal } = limits;
  return new Promise((resolve, reject) => {
    const wake = () => {
      if (watched.version > version) end(() => resolve(true));
    };
    const abort = () => end(() => reject(signal?.reason));
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(() => resolve(false)), timeoutMs);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      watched.waiting.delete(wake);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    watched.waiting.add(wake);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
  });
}
