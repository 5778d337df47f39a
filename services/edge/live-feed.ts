import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import type { Logger } from "@weft/mesh/telemetry";
import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Money } from "../../gen/shop/type/v1/money_pb.ts";

/** A product as it is now. One that does not exist has no name and no price. */
export interface LiveState {
  readonly sku: string;
  readonly name: string;
  readonly price: Money | undefined;
  /** Undefined if it is not known at the moment. */
  readonly available: bigint | undefined;
}

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

export interface LiveFeedDeps {
  /** At most skusPerReadMax at once; those that do not exist are left out. */
  readProducts(skus: readonly string[]): Promise<ReadonlyMap<string, Product>>;
  readAvailable(skus: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  readonly logger: Logger;
  readonly limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = {
  subscriptionsMax: 5_000,
  skusPerSubscriptionMax: 100,
  skusMax: 20_000,
  skusPerReadMax: 100,
  readsMax: 4,
  /** Changes that come so close together are read once. */
  coalesceMs: 15,
  /** What could not be read, or was read before its change arrived there, is read again. */
  readAgainMs: 250,
};

/** Reads of a version older than the one heard of; then it is believed. */
const STALE_READS_MAX = 20;

interface Watched {
  readonly sku: string;
  readonly subscribers: Set<Subscriber>;
  state: LiveState | undefined;
  /** What is to be read. */
  stale: { product: boolean; stock: boolean };
  product: Product | undefined;
  available: bigint | undefined;
  versionMin: bigint;
  staleReads: number;
}

interface Subscriber {
  readonly skus: Set<string>;
  /** Told next, the one longest changed first. At most as many as it follows. */
  readonly pending: Set<string>;
  wake: (() => void) | undefined;
}

/** Creates a feed that keeps what somebody follows, and nothing else. */
export function createLiveFeed(deps: LiveFeedDeps): LiveFeed {
  const limits = { ...defaultLimits, ...deps.limits };
  const watched = new Map<string, Watched>();
  const stale = new Set<Watched>();
  const subscribers = new Set<Subscriber>();
  const stopping = new AbortController();
  let wakeReader: (() => void) | undefined;

  const markStale = (item: Watched, part: Partial<Watched["stale"]>): void => {
    Object.assign(item.stale, part);
    stale.add(item);
    wakeReader?.();
  };
  const tell = (subscriber: Subscriber, sku: string): void => {
    subscriber.pending.add(sku);
    subscriber.wake?.();
  };
  const settle = (item: Watched): void => {
    const { sku, product, available } = item;
    const state = { sku, name: product?.name ?? "", price: product?.price, available };
    if (item.state !== undefined && isSame(item.state, state)) return;
    item.state = state;
    for (const subscriber of item.subscribers) tell(subscriber, sku);
  };

  /** Reads what is stale of some products, and tells those who follow them. What fails stays stale. */
  const read = async (items: readonly Watched[]): Promise<void> => {
    const ofProduct = items.filter((item) => item.stale.product);
    const ofStock = items.filter((item) => item.stale.stock);
    for (const item of items) item.stale = { product: false, stock: false };
    const skusOf = (some: readonly Watched[]) => some.map(({ sku }) => sku);
    const [products, stock] = await Promise.allSettled([
      ofProduct.length > 0 ? deps.readProducts(skusOf(ofProduct)) : undefined,
      ofStock.length > 0 ? deps.readAvailable(skusOf(ofStock)) : undefined,
    ]);
    const again = new Map<Watched, Partial<Watched["stale"]>>();
    if (products.status === "rejected" || stock.status === "rejected") {
      const error = products.status === "rejected" ? products.reason : stock.status === "rejected" && stock.reason;
      deps.logger.debug("the live feed cannot be read", { error });
    }
    for (const item of ofProduct) {
      const product = products.status === "fulfilled" ? products.value?.get(item.sku) : item.product;
      const tooOld = product !== undefined && product.version < item.versionMin && item.staleReads < STALE_READS_MAX;
      item.staleReads = tooOld ? item.staleReads + 1 : 0;
      if (products.status === "rejected" || tooOld) again.set(item, { product: true });
      if (products.status === "fulfilled" && !tooOld) item.product = product;
    }
    for (const item of ofStock) {
      item.available = stock.status === "fulfilled" ? stock.value?.get(item.sku) : undefined;
      if (stock.status === "rejected") again.set(item, { ...again.get(item), stock: true });
    }
    // Nothing is said of a product before it is known whether there is one.
    for (const item of items) if (item.state !== undefined || !again.get(item)?.product) settle(item);
    if (again.size > 0) {
      const timer = setTimeout(() => {
        for (const [item, part] of again) if (item.subscribers.size > 0) markStale(item, part);
      }, limits.readAgainMs);
      timer.unref();
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (stale.size === 0) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
        wakeReader = undefined;
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, limits.coalesceMs));
      const due = [...stale].slice(0, limits.readsMax * limits.skusPerReadMax);
      for (const item of due) stale.delete(item);
      const followed = due.filter((item) => item.subscribers.size > 0);
      const batches = chunks(followed, limits.skusPerReadMax);
      await Promise.all(batches.map(read));
    }
  };
  const running = run();

  const follow = (subscriber: Subscriber, sku: string): void => {
    const known = watched.get(sku);
    if (!subscriber.skus.has(sku) && subscriber.skus.size >= limits.skusPerSubscriptionMax) throw tooManySkus(limits);
    if (known === undefined && watched.size >= limits.skusMax) throw full("products are followed");
    const item = known ?? createWatched(sku);
    watched.set(sku, item);
    subscriber.skus.add(sku);
    item.subscribers.add(subscriber);
    if (known === undefined) markStale(item, { product: true, stock: true });
    else if (item.state !== undefined) tell(subscriber, sku);
  };
  const leave = (subscriber: Subscriber, sku: string): void => {
    subscriber.skus.delete(sku);
    subscriber.pending.delete(sku);
    const item = watched.get(sku);
    item?.subscribers.delete(subscriber);
    if (item?.subscribers.size === 0) {
      watched.delete(sku);
      stale.delete(item);
    }
  };

  return {
    open() {
      if (stopping.signal.aborted || subscribers.size >= limits.subscriptionsMax) throw full("callers follow products");
      const subscriber: Subscriber = { skus: new Set(), pending: new Set(), wake: undefined };
      subscribers.add(subscriber);
      let failure: unknown;
      return {
        subscribe(skus) {
          if (subscribers.has(subscriber)) for (const sku of skus) follow(subscriber, sku);
        },
        unsubscribe(skus) {
          for (const sku of skus) leave(subscriber, sku);
        },
        async next() {
          while (subscribers.has(subscriber)) {
            const [sku] = subscriber.pending;
            if (sku !== undefined) {
              subscriber.pending.delete(sku);
              const state = watched.get(sku)?.state;
              if (state !== undefined) return state;
              continue;
            }
            await new Promise<void>((resolve) => {
              subscriber.wake = resolve;
            });
            subscriber.wake = undefined;
          }
          if (failure !== undefined) throw failure;
          return undefined;
        },
        close(error) {
          if (!subscribers.delete(subscriber)) return;
          failure = error;
          for (const sku of [...subscriber.skus]) leave(subscriber, sku);
          subscriber.wake?.();
        },
      };
    },
    productChanged(sku, version = 0n) {
      const item = watched.get(sku);
      if (item === undefined) return;
      if (version > item.versionMin) item.versionMin = version;
      if ((item.product?.version ?? -1n) < version || version === 0n) markStale(item, { product: true });
    },
    stockChanged(skus) {
      for (const sku of skus) {
        const item = watched.get(sku);
        if (item !== undefined) markStale(item, { stock: true });
      }
    },
    refreshAll() {
      for (const item of watched.values()) markStale(item, { product: true, stock: true });
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      wakeReader?.();
      for (const subscriber of subscribers) {
        subscribers.delete(subscriber);
        subscriber.wake?.();
      }
      await running;
    },
  };
}

function createWatched(sku: string): Watched {
  return {
    ...{ sku, subscribers: new Set(), state: undefined, stale: { product: false, stock: false } },
    ...{ product: undefined, available: undefined, versionMin: 0n, staleReads: 0 },
  };
}

function isSame(one: LiveState, other: LiveState): boolean {
  return (
    one.name === other.name &&
    one.available === other.available &&
    one.price?.minorUnits === other.price?.minorUnits &&
    one.price?.currencyCode === other.price?.currencyCode
  );
}

function chunks<T>(items: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, index) =>
    items.slice(index * length, (index + 1) * length),
  );
}

function tooManySkus({ skusPerSubscriptionMax }: typeof defaultLimits) {
  const message = `one call can follow ${skusPerSubscriptionMax} products at once: unsubscribe from some first`;
  return rpcError(Code.ResourceExhausted, message, { reason: "LIVE_PRODUCTS_MAX" });
}

function full(what: string) {
  const message = `too many ${what} at the moment: try again later`;
  return rpcError(Code.ResourceExhausted, message, { reason: "LIVE_FEED_FULL", retryDelayMs: 5_000 });
}
