import { formatTable } from "../cli/output.ts";
import { type Figures, formatFigures, formatSpread, mediansOf, round } from "./figures.ts";
import { type Spread, spreadOf } from "./ratios.ts";
import type { MeasuredReads, ReadMethod, ReadPeer, ReadSlice } from "./reads.ts";

interface ReadFigures extends Figures {
  /** SELECT statements of the database server for each call, over all rounds. */
  readonly databaseReadsPerCall: number;
}

export interface ReadsRow {
  readonly workload: ReadMethod;
  readonly inFlight: number;
  readonly cached: ReadFigures;
  readonly uncached: ReadFigures;
  /** Part of the database reads that the cache has avoided: 1 is all. */
  readonly avoided: number;
  /** With the cache by without: above 1 is faster. */
  readonly throughput: Spread;
  /** With the cache by without: below 1 is faster. */
  readonly p50: Spread;
  readonly p99: Spread;
}

/** What the rounds say. */
export function summarizeReads({ workload, inFlight, rounds }: MeasuredReads): ReadsRow {
  const slices = (peer: ReadPeer): readonly ReadSlice[] => rounds.map((each) => each[peer]);
  const figures = (peer: ReadPeer): ReadFigures => {
    const sum = (key: "calls" | "databaseReads") => slices(peer).reduce((total, slice) => total + slice[key], 0);
    return { ...mediansOf(slices(peer)), databaseReadsPerCall: sum("databaseReads") / sum("calls") };
  };
  const ratio = (key: keyof Figures) => spreadOf(rounds.map(({ cached, uncached }) => cached[key] / uncached[key]));
  const [cached, uncached] = [figures("cached"), figures("uncached")];
  return {
    ...{ workload, inFlight, cached, uncached },
    avoided: 1 - cached.databaseReadsPerCall / uncached.databaseReadsPerCall,
    throughput: ratio("callsPerSecond"),
    p50: ratio("p50Ms"),
    p99: ratio("p99Ms"),
  };
}

/** The figures to follow over time, flat: with the cache by without. */
export function readsHeadline(rows: readonly ReadsRow[]): Record<string, number> {
  const figures = rows.flatMap(({ workload, inFlight, avoided, throughput, p50, p99 }): [string, number][] => {
    const name = `${workload}${inFlight}`;
    return [
      [`${name}_reads_avoided`, round(avoided)],
      [`${name}_vs_uncached`, round(throughput.median)],
      [`${name}_p50_vs_uncached`, round(p50.median)],
      [`${name}_p99_vs_uncached`, round(p99.median)],
    ];
  });
  return Object.fromEntries(figures);
}

/** The rows as a person reads them. */
export function formatReads(rows: readonly ReadsRow[]): string {
  const columns = [
    ...["call", "in flight", "cache", "calls/s", "p50 ms", "p99 ms", "cpu us/call", "db reads/1,000"],
    ...["throughput, ratio", "p50, ratio", "p99, ratio", "db reads avoided"],
  ];
  const line = (figures: ReadFigures) => [...formatFigures(figures), (figures.databaseReadsPerCall * 1_000).toFixed(1)];
  const lines = rows.flatMap(({ workload, inFlight, cached, uncached, avoided, throughput, p50, p99 }) => [
    [
      ...[workload, String(inFlight), "on", ...line(cached)],
      ...[throughput, p50, p99].map(formatSpread),
      `${(avoided * 100).toFixed(1)}%`,
    ],
    ["", "", "off", ...line(uncached), "", "", "", ""],
  ]);
  return formatTable(columns, lines);
}
