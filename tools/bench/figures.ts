import { percentile } from "./load.ts";
import type { Slice } from "./pair.ts";
import type { Comparison, Spread } from "./ratios.ts";

/** One peer's medians over all rounds. */
export interface Figures {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerCall: number;
}

/** What a peer did in the middle of all rounds. */
export function mediansOf(slices: readonly Slice[]): Figures {
  const median = (key: keyof Figures) =>
    percentile(
      slices.map((slice) => slice[key]),
      0.5,
    );
  return {
    callsPerSecond: median("callsPerSecond"),
    p50Ms: median("p50Ms"),
    p99Ms: median("p99Ms"),
    cpuUsPerCall: median("cpuUsPerCall"),
  };
}

export function formatFigures({ callsPerSecond, p50Ms, p99Ms, cpuUsPerCall }: Figures): string[] {
  return [Math.round(callsPerSecond).toString(), p50Ms.toFixed(2), p99Ms.toFixed(2), cpuUsPerCall.toFixed(0)];
}

export function formatComparison({ ratio, noise, significant }: Comparison): string {
  if (!significant) return `within noise (${noise.low.toFixed(2)} to ${noise.high.toFixed(2)})`;
  return formatSpread(ratio);
}

export function formatSpread({ median, low, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

/** To three decimals. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
