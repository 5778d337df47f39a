/** The latest calls that the estimate is made of. */
const windowLength = 512;
/** Before so many have ended, nobody knows what is slow. */
const samplesMin = 64;
/** New ones after which the estimate is made anew: 512 numbers are sorted, so a call pays for 16 of them. */
const refreshEvery = 32;

/** How long the slowest calls of a method take. */
export interface LatencyQuantile {
  /** One that was cancelled counts with the time that it had taken by then: it would have taken longer. */
  record(ms: number): void;
  /** The time within which the given part of the latest calls ended; undefined while too few are known. */
  readonly ms: number | undefined;
}

/**
 * Creates an estimate over the latest 512 calls, exact as of at most 32 calls ago (nearest rank).
 *
 * @param part of the calls: 0.95 for p95
 */
export function createLatencyQuantile(part: number): LatencyQuantile {
  const samples = new Float64Array(windowLength);
  const sorted = new Float64Array(windowLength);
  let recorded = 0;
  let known: number | undefined;

  const refresh = (): void => {
    const count = Math.min(recorded, windowLength);
    sorted.set(samples);
    known = sorted.subarray(0, count).sort()[Math.ceil(part * count) - 1];
  };
  return {
    record(ms) {
      samples[recorded % windowLength] = ms;
      recorded += 1;
      if (recorded % refreshEvery === 0 && recorded >= samplesMin) refresh();
    },
    get ms() {
      return known;
    },
  };
}
