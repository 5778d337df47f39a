import { formatTable } from "../../cli/output.ts";
import { formatSpread, round } from "../figures.ts";
import { percentile } from "../load.ts";
import { type Spread, spreadOf } from "../ratios.ts";
import type { ServiceCounts } from "./counts.ts";
import type { StatementCount } from "./recording.ts";
import type { MeasuredOrders, OrdersPeer, OrdersResult, OrdersSlice } from "./run.ts";

/** One number in flight: medians of the rounds, and ratios of what was measured in one round. */
export interface OrdersRow {
  readonly inFlight: number;
  readonly answeredPerSecond: number;
  readonly settledPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Part of the orders that were answered AWAITING_PAYMENT, and confirmed later. */
  readonly unconfirmed: number;
  readonly floorPerSecond: number;
  /** The shop by the floor, all that an order causes being done: above 1 is faster. */
  readonly settledByFloor: Spread;
  readonly answeredByFloor: Spread;
  /** All processes, the load's own apart. */
  readonly cpuMsPerOrder: number;
  /** Of the database and of mysql2. */
  readonly floorCpuMsPerOrder: number;
  /** The shop by the floor, the load's own included on both sides: above 1 costs more. */
  readonly cpuByFloor: Spread;
  /** This checkout by the other, if there is one. */
  readonly settledByBefore?: Spread;
  readonly cpuByBefore?: Spread;
}

/** What one process did for each order. */
export interface ProcessRow extends Partial<ServiceCounts> {
  readonly process: string;
  readonly cpuMs: number;
  /** With the most in flight; START TRANSACTION, COMMIT and ROLLBACK are statements. */
  readonly statements?: number;
  readonly transactions?: number;
}

export interface OrdersReport {
  readonly rows: readonly OrdersRow[];
  readonly processes: readonly ProcessRow[];
  /** By number in flight. */
  readonly statements: Readonly<Record<string, readonly StatementCount[]>>;
}

/** What the rounds say. */
export function summarizeOrders({ rows, counts }: OrdersResult): OrdersReport {
  return {
    rows: rows.map(summarizeRow),
    processes: processesOf(rows, counts),
    statements: Object.fromEntries(rows.map(({ inFlight, statements }) => [String(inFlight), statements])),
  };
}

function summarizeRow({ inFlight, rounds }: MeasuredOrders): OrdersRow {
  const slices = (peer: OrdersPeer) => rounds.flatMap((each) => each[peer] ?? []);
  const median = (peer: OrdersPeer, of: (slice: OrdersSlice) => number) => percentile(slices(peer).map(of), 0.5);
  const ratio = (other: OrdersPeer, of: (slice: OrdersSlice) => number) =>
    spreadOf(rounds.flatMap((each) => (each.shop && each[other] ? [of(each.shop) / of(each[other])] : [])));
  const total = (of: (slice: OrdersSlice) => number) => slices("shop").reduce((sum, slice) => sum + of(slice), 0);
  return {
    inFlight,
    unconfirmed: total((slice) => slice.unconfirmed) / total((slice) => slice.orders),
    answeredPerSecond: median("shop", (slice) => slice.answeredPerSecond),
    settledPerSecond: median("shop", (slice) => slice.settledPerSecond),
    p50Ms: median("shop", (slice) => slice.p50Ms),
    p99Ms: median("shop", (slice) => slice.p99Ms),
    floorPerSecond: median("floor", (slice) => slice.settledPerSecond),
    settledByFloor: ratio("floor", (slice) => slice.settledPerSecond),
    answeredByFloor: ratio("floor", (slice) => slice.answeredPerSecond),
    cpuMsPerOrder: median("shop", (slice) => totalCpu(slice) - (slice.cpuMs.get("client") ?? 0)),
    floorCpuMsPerOrder: median("floor", totalCpu),
    cpuByFloor: ratio("floor", totalCpu),
    ...(slices("before").length > 0 && {
      settledByBefore: ratio("before", (slice) => slice.settledPerSecond),
      cpuByBefore: ratio("before", totalCpu),
    }),
  };
}

function totalCpu({ cpuMs }: OrdersSlice): number {
  return [...cpuMs.values()].reduce((sum, ms) => sum + ms, 0);
}

function processesOf(rows: readonly MeasuredOrders[], counts: OrdersResult["counts"]): ProcessRow[] {
  const slices = rows.flatMap(({ rounds }) => rounds.flatMap((each) => each.shop ?? []));
  const orders = slices.reduce((sum, slice) => sum + slice.orders, 0);
  const names = new Set(slices.flatMap(({ cpuMs }) => [...cpuMs.keys()]));
  const statements = rows.at(-1)?.statements ?? [];
  return [...names].map((process) => {
    const cpuMs = slices.reduce((sum, slice) => sum + (slice.cpuMs.get(process) ?? 0) * slice.orders, 0) / orders;
    const own = statements.filter(({ service }) => service === process);
    const sum = (all: readonly StatementCount[]) => all.reduce((total, { perOrder }) => total + perOrder, 0);
    const [before, after] = [counts.before.get(process), counts.after.get(process)];
    return {
      process,
      cpuMs,
      ...(own.length > 0 && {
        statements: sum(own),
        transactions: sum(own.filter(({ name }) => name === "COMMIT" || name === "ROLLBACK")),
      }),
      ...(before && after && difference(before, after, counts.orders)),
    };
  });
}

function difference(before: ServiceCounts, after: ServiceCounts, orders: number): ServiceCounts {
  const keys = Object.keys(after) as (keyof ServiceCounts)[];
  const entries = keys.map((key) => [key, (after[key] - before[key]) / orders] as const);
  return Object.fromEntries(entries) as unknown as ServiceCounts;
}

/** The figures to follow over time, flat. */
export function ordersHeadline({ rows }: OrdersReport): Record<string, number> {
  const figures = rows.flatMap((row): [string, number][] => [
    [`orders${row.inFlight}_vs_floor`, round(row.settledByFloor.median)],
    [`orders${row.inFlight}_answered_vs_floor`, round(row.answeredByFloor.median)],
    [`orders${row.inFlight}_cpu_vs_floor`, round(row.cpuByFloor.median)],
  ]);
  return Object.fromEntries(figures);
}

/** The rows as a person reads them. */
export function formatOrders({ rows, processes }: OrdersReport): string {
  return `${formatRows(rows)}\n\n${formatProcesses(processes)}`;
}

function formatRows(rows: readonly OrdersRow[]): string {
  const compared = rows.some(({ settledByBefore }) => settledByBefore !== undefined);
  const columns = [
    ...[
      "in flight",
      "answered/s",
      "settled/s",
      "p50 ms",
      "p99 ms",
      "not confirmed",
      "floor/s",
      "settled by floor",
      "answered by floor",
    ],
    ...["cpu ms/order", "floor", "cpu by floor", ...(compared ? ["settled by before", "cpu by before"] : [])],
  ];
  const lines = rows.map((row) => [
    ...[String(row.inFlight), row.answeredPerSecond.toFixed(1), row.settledPerSecond.toFixed(1)],
    ...[row.p50Ms.toFixed(1), row.p99Ms.toFixed(1), `${(row.unconfirmed * 100).toFixed(1)}%`],
    row.floorPerSecond.toFixed(1),
    ...[formatSpread(row.settledByFloor), formatSpread(row.answeredByFloor)],
    ...[row.cpuMsPerOrder.toFixed(2), row.floorCpuMsPerOrder.toFixed(2), formatSpread(row.cpuByFloor)],
    ...(row.settledByBefore ? [formatSpread(row.settledByBefore)] : []),
    ...(row.cpuByBefore ? [formatSpread(row.cpuByBefore)] : []),
  ]);
  return formatTable(columns, lines);
}

function formatProcesses(processes: readonly ProcessRow[]): string {
  const columns = [
    ...["per order", "cpu ms", "statements", "transactions", "bytes to db", "bytes from db"],
    ...["calls made", "calls answered", "events out", "events in"],
  ];
  const number = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? "";
  const lines = processes
    .toSorted((a, b) => b.cpuMs - a.cpuMs)
    .map((row) => [
      ...[row.process, row.cpuMs.toFixed(2), number(row.statements, 1), number(row.transactions, 1)],
      ...[number(row.bytesToDatabase, 0), number(row.bytesFromDatabase, 0)],
      ...[number(row.callsMade, 2), number(row.callsAnswered, 2)],
      ...[number(row.eventsPublished, 2), number(row.eventsReceived, 2)],
    ]);
  return formatTable(columns, lines);
}

/** Statements with so many in flight, by service, as a person reads them. */
export function formatStatements(statements: readonly StatementCount[]): string {
  const lines = statements.map(({ service, name, perOrder }) => [service, name, perOrder.toFixed(2)]);
  return formatTable(["service", "statement", "per order"], lines);
}
