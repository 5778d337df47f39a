/** A stretch of closed-loop load: so many calls in flight at all times. */
export interface LoadOptions {
  readonly inFlight: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the process that makes the calls, all of its threads. */
  readonly cpuMs: number;
}

/** Makes calls for a while, each loop its next as soon as it has its answer. Fails with the first call or check that fails. */
export async function runLoad<Answer>(
  call: () => Promise<Answer>,
  options: LoadOptions,
  check: (answer: Answer) => void = () => undefined,
): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + options.durationMs;
  let now = startedAt;
  const loop = async (): Promise<void> => {
    while (now < endsAt) {
      const sentAt = now;
      const answer = await call();
      now = performance.now();
      latenciesMs.push(now - sentAt);
      check(answer);
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, loop));
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = Float64Array.from(latenciesMs).sort();
  return {
    calls: sorted.length,
    callsPerSecond: (sorted.length / elapsedMs) * 1000,
    p50Ms: nearestRank(sorted, 0.5),
    p99Ms: nearestRank(sorted, 0.99),
    cpuMs: (user + system) / 1000,
  };
}

/** The value below which a part of the values lies (nearest rank). NaN if there are none. */
export function percentile(values: readonly number[], part: number): number {
  return nearestRank(Float64Array.from(values).sort(), part);
}

function nearestRank(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
