import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { createLiveProduct, type LiveProduct, type LiveState } from "./live-product.ts";
import { type LiveReaderDeps, readLimits, startLiveReader } from "./live-reader.ts";

/** One caller's ear on some products. Costs the same whether it reads or not. */
export interface LiveSubscription {
  /** Each product is told once as it is, then after each change. @throws ConnectError RESOURCE_EXHAUSTED */
  subscribe(skus: readonly string[]): void;
  unsubscribe(skus: readonly string[]): void;
  /** The newest state of a product that has changed since it was told last; undefined once closed. One wait at a time. */
  next(): Promise<LiveState | undefined>;
  /** Ends it, with an error for whoever waits if one is given. */
  close(error?: unknown): void;
}

/** What many callers follow, each product read once for all of them. */
export interface LiveFeed extends AsyncDisposable {
  /** @throws ConnectError RESOURCE_EXHAUSTED if too many are open */
  open(): LiveSubscription;
  /** @param version that the product has at least, if known: an older one that is read is not the present yet */
  productChanged(sku: string, version?: bigint): void;
  stockChanged(skus: readonly string[]): void;
  /** Anything may have changed. */
  refreshAll(): void;
}

export interface LiveFeedDeps extends LiveReaderDeps {
  readonly limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = { ...readLimits, subscriptionsMax: 5_000, skusPerSubscriptionMax: 100, skusMax: 20_000 };

interface Subscriber {
  readonly skus: Set<string>;
  /** Told next, the one longest changed first. At most as many as it follows: the states themselves are everybody's. */
  readonly pending: Set<string>;
  wake: (() => void) | undefined;
  failure: unknown;
}

interface Followed extends LiveProduct {
  readonly subscribers: Set<Subscriber>;
}

/** Creates a feed that keeps what somebody follows, and nothing else. */
export function createLiveFeed(deps: LiveFeedDeps): LiveFeed {
  const limits = { ...defaultLimits, ...deps.limits };
  const followed = new Map<string, Followed>();
  const subscribers = new Set<Subscriber>();
  let stopped = false;

  const reader = startLiveReader({
    ...deps,
    limits,
    isFollowed: (item) => followed.get(item.sku) === item,
    onChange: ({ sku }) => {
      for (const subscriber of followed.get(sku)?.subscribers ?? []) tell(subscriber, sku);
    },
  });
  const follow = (subscriber: Subscriber, sku: string): void => {
    const known = followed.get(sku);
    const isFull = !subscriber.skus.has(sku) && subscriber.skus.size >= limits.skusPerSubscriptionMax;
    if (isFull) throw tooManySkus(limits.skusPerSubscriptionMax);
    if (known === undefined && followed.size >= limits.skusMax) throw feedFull("products are followed");
    const item = known ?? { ...createLiveProduct(sku), subscribers: new Set() };
    followed.set(sku, item);
    subscriber.skus.add(sku);
    item.subscribers.add(subscriber);
    if (known === undefined) reader.markStale(item, { product: true, stock: true });
    else if (item.state !== undefined) tell(subscriber, sku);
  };
  const leave = (subscriber: Subscriber, sku: string): void => {
    subscriber.skus.delete(sku);
    subscriber.pending.delete(sku);
    const item = followed.get(sku);
    item?.subscribers.delete(subscriber);
    if (item?.subscribers.size === 0) followed.delete(sku);
  };
  const close = (subscriber: Subscriber, error?: unknown): void => {
    if (!subscribers.delete(subscriber)) return;
    subscriber.failure = error;
    for (const sku of [...subscriber.skus]) leave(subscriber, sku);
    subscriber.wake?.();
  };
  const next = async (subscriber: Subscriber): Promise<LiveState | undefined> => {
    while (subscribers.has(subscriber)) {
      const [sku] = subscriber.pending;
      if (sku === undefined) await sleep(subscriber);
      else {
        subscriber.pending.delete(sku);
        const state = followed.get(sku)?.state;
        if (state !== undefined) return state;
      }
    }
    if (subscriber.failure !== undefined) throw subscriber.failure;
    return undefined;
  };

  return {
    open() {
      if (stopped || subscribers.size >= limits.subscriptionsMax) throw feedFull("callers follow products");
      const subscriber: Subscriber = { skus: new Set(), pending: new Set(), wake: undefined, failure: undefined };
      subscribers.add(subscriber);
      return {
        subscribe(skus) {
          if (subscribers.has(subscriber)) for (const sku of skus) follow(subscriber, sku);
        },
        unsubscribe(skus) {
          for (const sku of skus) leave(subscriber, sku);
        },
        next: () => next(subscriber),
        close: (error) => close(subscriber, error),
      };
    },
    productChanged(sku, version = 0n) {
      const item = followed.get(sku);
      if (item === undefined) return;
      if (version > item.versionMin) item.versionMin = version;
      const isNews = version === 0n || item.product === undefined || item.product.version < version;
      if (isNews) reader.markStale(item, { product: true });
    },
    stockChanged(skus) {
      for (const sku of skus) {
        const item = followed.get(sku);
        if (item !== undefined) reader.markStale(item, { stock: true });
      }
    },
    refreshAll() {
      for (const item of followed.values()) reader.markStale(item, { product: true, stock: true });
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      for (const subscriber of subscribers) close(subscriber);
      await reader[Symbol.asyncDispose]();
    },
  };
}

function tell(subscriber: Subscriber, sku: string): void {
  subscriber.pending.add(sku);
  subscriber.wake?.();
}

async function sleep(subscriber: Subscriber): Promise<void> {
  await new Promise<void>((resolve) => {
    subscriber.wake = resolve;
  });
  subscriber.wake = undefined;
}

function tooManySkus(skusMax: number) {
  const message = `one call can follow ${skusMax} products at once: unsubscribe from some first`;
  return rpcError(Code.ResourceExhausted, message, { reason: "LIVE_PRODUCTS_MAX" });
}

function feedFull(what: string) {
  const message = `too many ${what} at the moment: try again later`;
  return rpcError(Code.ResourceExhausted, message, { reason: "LIVE_FEED_FULL", retryDelayMs: 5_000 });
}
