/** A price, from when its change was asked for; and when that was answered. */
interface Price {
  readonly minorUnits: bigint;
  readonly askedMs: number;
  answeredMs: number;
}

/** What prices may be read when: for reads beside changes, in many processes. */
export interface PriceWatch {
  /** Makes a change; until it is answered both prices are right. */
  change(sku: string, minorUnits: bigint, make: () => Promise<unknown>): Promise<void>;
  /**
   * Reads and checks: right is every price that was the product's at some time between `staleMs` before the read began and its end.
   *
   * @throws Error if it is another
   */
  read(sku: string, make: () => Promise<bigint | undefined>): Promise<void>;
  /** The oldest that a right answer was, in ms since its price had been replaced. */
  oldestMs(): number;
  /** Reads that were right. */
  reads(): number;
}

export function createPriceWatch(initialMinorUnits: bigint, staleMs: number): PriceWatch {
  const histories = new Map<string, Price[]>();
  const historyOf = (sku: string): Price[] => {
    const known = histories.get(sku) ?? [{ minorUnits: initialMinorUnits, askedMs: 0, answeredMs: 0 }];
    histories.set(sku, known);
    return known;
  };
  let oldestMs = 0;
  let reads = 0;
  return {
    async change(sku, minorUnits, make) {
      const price: Price = { minorUnits, askedMs: performance.now(), answeredMs: Number.POSITIVE_INFINITY };
      historyOf(sku).push(price);
      await make();
      price.answeredMs = performance.now();
    },
    async read(sku, make) {
      const beganMs = performance.now();
      const minorUnits = await make();
      const endedMs = performance.now();
      const history = historyOf(sku);
      const ages = history.flatMap((price, index) => {
        if (price.minorUnits !== minorUnits || price.askedMs > endedMs) return [];
        return [Math.max(0, beganMs - (history[index + 1]?.answeredMs ?? Number.POSITIVE_INFINITY))];
      });
      const ageMs = Math.min(...ages);
      if (!(ageMs <= staleMs)) throw new Error(`${sku} cost ${minorUnits}, which is ${ageMs.toFixed(0)} ms too old`);
      oldestMs = Math.max(oldestMs, ageMs);
      reads += 1;
    },
    oldestMs: () => oldestMs,
    reads: () => reads,
  };
}
