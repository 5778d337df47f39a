import { formatTable } from "../../cli/output.ts";
import { type Figures, formatComparison, formatFigures, formatSpread, mediansOf, round } from "../figures.ts";
import { type Comparison, compare, type Spread, spreadOf } from "../ratios.ts";
import { type WorkloadName, workloadTitles } from "../workloads.ts";
import { type PeerName, peers } from "./peers.ts";
import type { MeasuredCell } from "./run.ts";

/** One peer's figures, and how the mesh compares with it: ours by theirs. */
export interface PeerRow extends Figures {
  readonly peer: PeerName;
  /** Above 1 is faster. */
  readonly throughput: Comparison;
  /** Below 1 is faster. */
  readonly p50: Comparison;
  readonly p99: Comparison;
  /** Below 1 costs less. */
  readonly cpu: Comparison;
}

export interface Row {
  readonly workload: WorkloadName;
  readonly inFlight: number;
  readonly peers: readonly PeerRow[];
  /** The mesh on plain gRPC by bare grpc-js: above 1 is faster. */
  readonly plainThroughput: Spread | undefined;
}

/** What the rounds say. */
export function summarize({ workload, inFlight, rounds, peers: names }: MeasuredCell): Row {
  const each = (peer: PeerName, key: keyof Figures): number[] =>
    rounds.map((slices) => slices[peer]?.[key] ?? Number.NaN);
  const by = (peer: PeerName, key: keyof Figures): Comparison =>
    compare(each("weft", key), each("weft-twin", key), each(peer, key));
  const rowOf = (peer: PeerName): PeerRow => ({
    peer,
    ...mediansOf(rounds.map((slices) => slices[peer])),
    throughput: by(peer, "callsPerSecond"),
    p50: by(peer, "p50Ms"),
    p99: by(peer, "p99Ms"),
    cpu: by(peer, "cpuUsPerCall"),
  });
  const plain = each("weft-grpc", "callsPerSecond");
  const theirs = each("grpc-js", "callsPerSecond");
  const plainThroughput = names.includes("weft-grpc")
    ? spreadOf(plain.map((value, index) => value / (theirs[index] ?? Number.NaN)))
    : undefined;
  return { workload, inFlight, peers: names.map(rowOf), plainThroughput };
}

/** The figures to follow over time, flat; ours by theirs. Those that were not measured are left out. */
export function headline(rows: readonly Row[]): Record<string, number> {
  const rowOf = (workload: WorkloadName, inFlight: number): Row | undefined =>
    rows.find((row) => row.workload === workload && row.inFlight === inFlight);
  const find = (workload: WorkloadName, inFlight: number, peer: PeerName): PeerRow | undefined =>
    rowOf(workload, inFlight)?.peers.find((candidate) => candidate.peer === peer);
  const [echo64, echo1] = [find("echo", 64, "grpc-js"), find("echo", 1, "grpc-js")];
  const figures: Record<string, number | undefined> = {
    echo64_vs_grpcjs: echo64?.throughput.ratio.median,
    echo64_vs_moleculer: find("echo", 64, "moleculer")?.throughput.ratio.median,
    echo1_p50_vs_grpcjs: echo1?.p50.ratio.median,
    order64_vs_grpcjs: find("order", 64, "grpc-js")?.throughput.ratio.median,
    p99_64_vs_grpcjs: echo64?.p99.ratio.median,
    plain64_vs_grpcjs: rowOf("echo", 64)?.plainThroughput?.median,
    payload16k_vs_grpcjs: find("16k", 64, "grpc-js")?.throughput.ratio.median,
    payload256k_vs_grpcjs: find("256k", 64, "grpc-js")?.throughput.ratio.median,
  };
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) => (value === undefined ? [] : [[name, round(value)]])),
  );
}

/** The rows as a person reads them, a table for each payload. */
export function formatRows(rows: readonly Row[]): string {
  const columns = [
    ...["in flight", "peer", "calls/s", "p50 ms", "p99 ms", "cpu us/call"],
    ...["weft's calls/s by it", "p50", "p99", "cpu"],
  ];
  const line = (row: Row, peer: PeerRow, index: number): string[] => [
    index === 0 ? String(row.inFlight) : "",
    peers[peer.peer].title,
    ...formatFigures(peer),
    ...comparisonsOf(peer),
  ];
  const workloads = [...new Set(rows.map(({ workload }) => workload))];
  const tables = workloads.map((workload) => {
    const own = rows.filter((row) => row.workload === workload);
    const lines = own.flatMap((row) => row.peers.map((peer, index) => line(row, peer, index)));
    return `${workloadTitles[workload]}\n${formatTable(columns, lines)}`;
  });
  return tables.join("\n\n");
}

function comparisonsOf({ peer, throughput, p50, p99, cpu }: PeerRow): string[] {
  const all = [throughput, p50, p99, cpu];
  if (peer === "weft") return all.map(() => "");
  if (peer === "weft-twin") return all.map(({ noise }) => `${formatSpread(noise)}: noise`);
  return all.map(formatComparison);
}
