import { formatTable } from "../cli/output.ts";
import type { Measured, Peer } from "./bench.ts";
import { percentile } from "./load.ts";
import type { Slice } from "./pair.ts";
import { type Comparison, compare, type Spread, spreadOf } from "./ratios.ts";

/** One peer's medians over all rounds. */
export interface Figures {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerCall: number;
}

export interface Row {
  readonly inFlight: number;
  readonly weft: Figures;
  readonly grpcJs: Figures;
  /** Ours by theirs: above 1 is faster. */
  readonly throughput: Comparison;
  /** Ours by theirs: above 1 is slower. */
  readonly p99: Spread;
  /** Ours by theirs, server and client together: above 1 costs more. */
  readonly cpu: Comparison;
}

/** What the rounds say. */
export function summarize(measured: Measured): Row {
  const { inFlight, rounds } = measured;
  const each = (peer: Peer, key: keyof Figures): number[] => rounds.map((round) => round[peer][key]);
  const figures = (peer: Peer) => mediansOf(rounds.map((round) => round[peer]));
  const compareBy = (key: keyof Figures): Comparison =>
    compare(each("weft", key), each("weft-twin", key), each("grpc-js", key));
  return {
    inFlight,
    weft: figures("weft"),
    grpcJs: figures("grpc-js"),
    throughput: compareBy("callsPerSecond"),
    cpu: compareBy("cpuUsPerCall"),
    p99: spreadOf(rounds.map((round) => round.weft.p99Ms / round["grpc-js"].p99Ms)),
  };
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

/** The figures to follow over time, flat. Ours by theirs. */
export function headline(rows: readonly Row[]): Record<string, number> {
  const ratios = rows.flatMap(({ inFlight, throughput, p99 }): [string, number][] => [
    [`plain${inFlight}_vs_grpcjs`, round(throughput.ratio.median)],
    [`plain${inFlight}_p99_vs_grpcjs`, round(p99.median)],
  ]);
  return Object.fromEntries(ratios);
}

/** The rows as a person reads them. */
export function formatRows(rows: readonly Row[]): string {
  const columns = [
    "in flight",
    "",
    "calls/s",
    "p50 ms",
    "p99 ms",
    "cpu us/call",
    "throughput, ratio",
    "p99, ratio",
    "cpu, ratio",
  ];
  const lines = rows.flatMap(({ inFlight, weft, grpcJs, throughput, p99, cpu }) => [
    [
      String(inFlight),
      "weft",
      ...formatFigures(weft),
      formatComparison(throughput),
      formatSpread(p99),
      formatComparison(cpu),
    ],
    ["", "grpc-js", ...formatFigures(grpcJs), "", "", ""],
  ]);
  return formatTable(columns, lines);
}

export function formatFigures({ callsPerSecond, p50Ms, p99Ms, cpuUsPerCall }: Figures): string[] {
  return [Math.round(callsPerSecond).toString(), p50Ms.toFixed(2), p99Ms.toFixed(2), cpuUsPerCall.toFixed(0)];
}

function formatComparison({ ratio, noise, significant }: Comparison): string {
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
