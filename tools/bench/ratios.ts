import { percentile } from "./load.ts";

/** Ratios of rounds that were measured side by side. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** How one peer compares with another, beside how it compares with itself. */
export interface Comparison {
  readonly ratio: Spread;
  /** The first peer against a twin of its own: what is within it is noise. */
  readonly noise: Spread;
  /** Whether the median lies outside of the noise. */
  readonly significant: boolean;
}

/** The median of values with the lowest and the highest. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: percentile(values, 0.5), low: Math.min(...values), high: Math.max(...values) };
}

/** Compares peers round by round, so that what disturbs a round disturbs both sides of its ratio. */
export function compare(ours: readonly number[], twin: readonly number[], theirs: readonly number[]): Comparison {
  const ratio = spreadOf(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
  const noise = spreadOf(ours.map((value, round) => value / (twin[round] ?? Number.NaN)));
  return { ratio, noise, significant: ratio.median < noise.low || ratio.median > noise.high };
}
