import type { Telemetry } from "../telemetry/telemetry.ts";
import type { SharedOperation } from "./shared-tier.ts";

/** What a cache counts. */
export interface CacheMetrics {
  hit(tier: "local" | "shared", stale: boolean): void;
  missed(count: number): void;
  /** Somebody waits for a load that another has begun. */
  waited(): void;
  invalidated(count: number): void;
  /** Redis did not do something. */
  sharedFailed(operation: SharedOperation): undefined;
  load<T>(fn: () => Promise<T>): Promise<T>;
}

export function measureCache(
  { meter }: Telemetry,
  cache: string,
  gauges: { readonly entries: () => number; readonly bytes: () => number; readonly pending: () => number },
): CacheMetrics {
  const hits = meter.createCounter("weft.cache.hits", { description: "Values found, by tier" });
  const misses = meter.createCounter("weft.cache.misses", { description: "Values that no tier had" });
  const waits = meter.createCounter("weft.cache.waits", { description: "Callers that waited for another's load" });
  const loads = meter.createCounter("weft.cache.loads", { description: "Loads, of one or many values" });
  const invalidations = meter.createCounter("weft.cache.invalidations", { description: "Values forgotten" });
  const failures = meter.createCounter("weft.cache.shared_failures", { description: "What Redis did not do" });
  const gauge = (what: keyof typeof gauges, named: string, description: string) =>
    meter
      .createObservableGauge(`weft.cache.${named}`, { description })
      .addCallback((result) => result.observe(gauges[what](), { cache }));
  gauge("entries", "entries", "Values that the process holds");
  gauge("bytes", "bytes", "Their length, encoded, with their keys'");
  gauge("pending", "pending_invalidations", "Removals that wait for Redis");
  const attributes = {
    local: { cache, tier: "local", stale: false },
    shared: { cache, tier: "shared", stale: false },
  };
  return {
    hit: (tier, stale) => hits.add(1, stale ? { ...attributes[tier], stale } : attributes[tier]),
    missed: (count) => misses.add(count, { cache }),
    waited: () => waits.add(1, { cache }),
    invalidated: (count) => invalidations.add(count, { cache }),
    sharedFailed: (operation) => void failures.add(1, { cache, operation }),
    async load(fn) {
      try {
        const result = await fn();
        loads.add(1, { cache, outcome: "loaded" });
        return result;
      } catch (error) {
        loads.add(1, { cache, outcome: "failed" });
        throw error;
      }
    },
  };
}
