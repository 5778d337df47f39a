import { setTimeout as pause } from "node:timers/promises";
import { runDetached } from "@weft/mesh/context";
import type { Random } from "@weft/mesh/contract";
import type { Telemetry } from "@weft/mesh/telemetry";

export interface SweepOptions {
  /** Expires at most `limit` reservations; answers how many it has. */
  readonly expire: (limit: number) => Promise<number>;
  /** Between two looks, give or take a quarter, so that instances do not look together. */
  readonly intervalMs: number;
  readonly telemetry: Pick<Telemetry, "logger" | "meter">;
  readonly random: Random;
}

/** Reservations in one go; after a full one comes the next at once. */
const batchSize = 100;
const batchTimeoutMs = 30_000;

/** Looks for reservations to expire, now and then, until disposed of. Counted in `shop.inventory.reservations.expired`. */
export function startSweep({ expire, intervalMs, telemetry, random }: SweepOptions): AsyncDisposable {
  const { logger, meter } = telemetry;
  const expirations = meter.createCounter("shop.inventory.reservations.expired", {
    description: "Reservations whose order nobody has told of in time",
  });
  const stop = new AbortController();

  async function sweep(): Promise<void> {
    let count = batchSize;
    while (count === batchSize && !stop.signal.aborted) {
      count = await runDetached({ timeoutMs: batchTimeoutMs }, () => expire(batchSize));
      if (count === 0) return;
      expirations.add(count);
      // Each is an order that inventory has never heard of: somebody should wonder.
      logger.warn("reservations without an order have expired", { count });
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      const pauseMs = intervalMs * (0.75 + random() / 2);
      await pause(pauseMs, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted) return;
      await sweep().catch((error) => logger.warn("cannot look for reservations to expire", { error }));
    }
  }

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}
