import { type FaultRow, type MutationRow, type Progress, type ScenarioRow, totalsOf } from "./results.ts";

const WIDTHS = [24, 12, 8, 10, 8, 8, 6, 6, 8];
const HEADER = ["fault", "seed", "hits", "in flight", "recover", "quiet", "lost", "twice", "unknown"];

/** The table's first line. */
export const tableHeader = (): string => line(HEADER);

/** One row as people read it: times in seconds; `unknown` is what clients saw so, and what of it is unresolved. */
export function tableRow(row: FaultRow): string {
  return line([
    row.cell,
    `${row.seed}`,
    `${row.hits}`,
    `${row.inFlight}`,
    seconds(row.recoverMs),
    seconds(row.quietMs),
    `${row.lost}`,
    `${row.duplicated}`,
    row.unresolved === 0 ? `${row.unknown}` : `${row.unknown}, ${row.unresolved} unresolved`,
  ]);
}

export function mutationLine({ mutation, caughtBy, isCaught }: MutationRow): string {
  const by = caughtBy.length === 0 ? "by nothing" : `by ${caughtBy.join("; ")}`;
  return `${isCaught ? "red, as it must be" : "NOT CAUGHT"}: ${mutation}: ${by}`;
}

/** What became of a scenario, and its figures. */
export function scenarioLines({ scenario, what, figures, findings }: ScenarioRow): string[] {
  const told = Object.entries(figures).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
  return [`${findings.length === 0 ? "as it must be" : "RED"}: ${scenario}: ${what}`, `  ${told.join("; ")}`];
}

export function totalsLine(progress: Progress): string {
  const totals = totalsOf(progress);
  const unknown = progress.rows.reduce((sum, row) => sum + row.unknown, 0);
  const operations = progress.rows.reduce((sum, row) => sum + row.operations, 0);
  return [
    `${totals.kinds} kinds x ${totals.seeds} seeds, ${operations} operations, ${totals.hits} hits:`,
    `${totals.lost} lost, ${totals.duplicated} duplicated, ${totals.unresolved} unresolved`,
    `(${unknown} unknown to their clients);`,
    `${totals.mutations_caught} of ${totals.mutations} mutations caught`,
  ].join(" ");
}

function seconds(durationMs: number | null): string {
  return durationMs === null ? "never" : `${(durationMs / 1_000).toFixed(1)} s`;
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, at) => (at === 0 ? cell.padEnd(WIDTHS[at] ?? 0) : cell.padStart(WIDTHS[at] ?? 0)))
    .join(" ")
    .trimEnd();
}
