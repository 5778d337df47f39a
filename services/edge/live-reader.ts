import type { Logger } from "@weft/mesh/telemetry";
import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { type LiveProduct, type Parts, renew } from "./live-product.ts";

export interface LiveReaderDeps {
  /** At most skusPerReadMax at once; those that do not exist are left out. */
  readProducts(skus: readonly string[]): Promise<ReadonlyMap<string, Product>>;
  readAvailable(skus: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  readonly logger: Logger;
}

export interface LiveReaderOptions extends LiveReaderDeps {
  /** Whether somebody still wants to know. */
  readonly isFollowed: (item: LiveProduct) => boolean;
  /** Told of each product whose state is another than before. */
  readonly onChange: (item: LiveProduct) => void;
  readonly limits: typeof readLimits;
}

export const readLimits = {
  skusPerReadMax: 100,
  readsMax: 4,
  /** Changes that come so close together are read once. */
  coalesceMs: 15,
  /** What could not be read, or was read before its change arrived there, is read again. */
  readAgainMs: 250,
};

/** Reads in a row of a version older than the one heard of; then it is believed. */
const oldReadsMax = 20;

/** Reads what has become stale, in few calls, whoever wants it. */
export interface LiveReader extends AsyncDisposable {
  markStale(item: LiveProduct, parts: Partial<Parts>): void;
}

/** Starts a reader. What it cannot read it reads again until it can. */
export function startLiveReader(options: LiveReaderOptions): LiveReader {
  const { limits, isFollowed, onChange } = options;
  const stale = new Set<LiveProduct>();
  let stopped = false;
  let wake: (() => void) | undefined;

  const markStale = (item: LiveProduct, parts: Partial<Parts>): void => {
    Object.assign(item.stale, parts);
    stale.add(item);
    wake?.();
  };
  const read = async (items: readonly LiveProduct[]): Promise<void> => {
    const again = await readParts(items, options);
    // Nothing is said of a product before it is known whether there is one.
    for (const item of items) {
      if ((item.state !== undefined || !again.get(item)?.product) && renew(item)) onChange(item);
    }
    if (again.size === 0) return;
    const retry = () => {
      for (const [item, parts] of again) if (isFollowed(item)) markStale(item, parts);
    };
    setTimeout(retry, limits.readAgainMs).unref();
  };
  // One loop, started here: in the context of no call, so that no caller's deadline or identity is on what all wait for.
  const run = async (): Promise<void> => {
    while (!stopped) {
      if (stale.size === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, limits.coalesceMs));
      const due = [...stale].slice(0, limits.readsMax * limits.skusPerReadMax);
      for (const item of due) stale.delete(item);
      await Promise.all(chunks(due.filter(isFollowed), limits.skusPerReadMax).map(read));
    }
  };

  const running = run();
  return {
    markStale,
    async [Symbol.asyncDispose]() {
      stopped = true;
      wake?.();
      await running;
    },
  };
}

/** Reads what is stale of some products; returns what must be read again. */
async function readParts(
  items: readonly LiveProduct[],
  { readProducts, readAvailable, logger }: LiveReaderDeps,
): Promise<Map<LiveProduct, Partial<Parts>>> {
  const ofProduct = items.filter((item) => item.stale.product);
  const ofStock = items.filter((item) => item.stale.stock);
  for (const item of items) item.stale = { product: false, stock: false };
  const orUndefined = (error: unknown): undefined =>
    logger.debug("the live feed cannot be read", { error }) as undefined;
  const [products, stock] = await Promise.all([
    ofProduct.length > 0 ? readProducts(ofProduct.map(({ sku }) => sku)).catch(orUndefined) : undefined,
    ofStock.length > 0 ? readAvailable(ofStock.map(({ sku }) => sku)).catch(orUndefined) : undefined,
  ]);
  const again = new Map<LiveProduct, Partial<Parts>>();
  for (const item of ofProduct) {
    const product = products?.get(item.sku);
    const isOld = product !== undefined && product.version < item.versionMin && item.oldReads < oldReadsMax;
    item.oldReads = isOld ? item.oldReads + 1 : 0;
    if (products === undefined || isOld) again.set(item, { product: true });
    else item.product = product;
  }
  for (const item of ofStock) {
    item.available = stock?.get(item.sku);
    if (stock === undefined) again.set(item, { ...again.get(item), stock: true });
  }
  return again;
}

function chunks<T>(items: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, index) =>
    items.slice(index * length, (index + 1) * length),
  );
}
