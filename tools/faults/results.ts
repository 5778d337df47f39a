import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { writeWhole } from "../dev/processes/files.ts";
import type { Finding } from "./checks/finding.ts";

/** What became of one cell. */
export interface FaultRow {
  readonly cell: string;
  readonly kind: string;
  readonly seed: number;
  /** How often it was tried until it hit something; each with a seed of its own. */
  readonly tries: number;
  readonly hits: number;
  /** Operations of clients that had no answer when the fault was put in. */
  readonly inFlight: number;
  /** Operations of the whole cell. */
  readonly operations: number;
  /** From the heal to the first order confirmed; null: none was. */
  readonly recoverMs: number | null;
  /** From the heal to the moment when nothing moved any more; null: it did not come. */
  readonly quietMs: number | null;
  /** Operations whose clients never had an answer. */
  readonly unknown: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Whatever is neither lost nor twice and yet not right. */
  readonly unresolved: number;
  /** The first ones of each invariant. */
  readonly findings: readonly Finding[];
}

/** Findings of one invariant that a row keeps: the first thousand of the same say no more than these. */
const FINDINGS_OF_ONE_INVARIANT_MAX = 5;

/** A row's part that findings make. */
export function countFindings(
  findings: readonly Finding[],
): Pick<FaultRow, "lost" | "duplicated" | "unresolved" | "findings"> {
  const count = (...kinds: Finding["kind"][]) => findings.filter(({ kind }) => kinds.includes(kind)).length;
  const byInvariant = Map.groupBy(findings, ({ invariant }) => invariant);
  return {
    lost: count("lost"),
    duplicated: count("duplicated"),
    unresolved: count("unresolved", "wrong"),
    findings: [...byInvariant.values()].flatMap((own) => own.slice(0, FINDINGS_OF_ONE_INVARIANT_MAX)),
  };
}

/** What became of one mutation: `caughtBy` is empty if the run stayed green. */
export interface MutationRow {
  readonly mutation: string;
  readonly cells: readonly string[];
  readonly caughtBy: readonly string[];
  /** Whether one of the invariants that it was made for is among them. */
  readonly isCaught: boolean;
}

/** What became of one scenario. */
export interface ScenarioRow {
  readonly scenario: string;
  readonly what: string;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: readonly Finding[];
}

/** All that a run has found out so far; kept in a file, so that it goes on where it was interrupted. */
export interface Progress {
  readonly seed: number;
  /** Which run it is: one of other kinds begins anew. */
  readonly plan: string;
  readonly rows: readonly FaultRow[];
  readonly mutations: readonly MutationRow[];
  readonly scenarios: readonly ScenarioRow[];
}

/** What became of everything so far. */
export type Rows = Pick<Progress, "rows" | "mutations"> & Partial<Pick<Progress, "scenarios">>;

export interface Totals {
  readonly kinds: number;
  readonly seeds: number;
  readonly hits: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly unresolved: number;
  readonly mutations: number;
  readonly mutations_caught: number;
  readonly scenarios: number;
}

/** Sums up. */
export function totalsOf({ rows, mutations, scenarios = [] }: Rows): Totals {
  const told = [...rows, ...scenarios.map(({ findings }) => countFindings(findings))];
  const sum = (field: "lost" | "duplicated" | "unresolved") => told.reduce((sofar, row) => sofar + row[field], 0);
  const kinds = Map.groupBy(rows, ({ kind }) => kind);
  return {
    kinds: kinds.size,
    seeds: Math.max(0, ...[...kinds.values()].map((own) => own.length)),
    hits: rows.reduce((sum, row) => sum + row.hits, 0),
    lost: sum("lost"),
    duplicated: sum("duplicated"),
    unresolved: sum("unresolved"),
    mutations: mutations.length,
    mutations_caught: mutations.filter(({ isCaught }) => isCaught).length,
    scenarios: scenarios.length,
  };
}

/** Whether a fault hit at least one operation in flight: one that did not proves nothing. */
export function hasHit({ hits, inFlight }: Pick<FaultRow, "hits" | "inFlight">): boolean {
  return hits > 0 && inFlight > 0;
}

/** Lines that say why a run is red; none: it is green. */
export function faultsOf({ rows, mutations, scenarios = [] }: Rows): string[] {
  const told = (where: string, { invariant, kind, subject, detail }: Finding) =>
    `${where}: ${kind}: ${invariant}: ${subject}: ${detail}`;
  return [
    ...rows.filter((row) => !hasHit(row)).map((row) => `${row.cell} never hit an operation in flight`),
    ...rows.filter((row) => row.recoverMs === null).map((row) => `${row.cell}: no order was confirmed after the heal`),
    ...rows.flatMap(({ cell, findings }) => findings.map((finding) => told(cell, finding))),
    ...scenarios.flatMap(({ scenario, findings }) => findings.map((finding) => told(scenario, finding))),
    ...mutations
      .filter(({ isCaught }) => !isCaught)
      .map(({ mutation, caughtBy }) =>
        caughtBy.length === 0
          ? `mutation ${mutation} was not caught`
          : `mutation ${mutation} was caught by others than it was made for: ${caughtBy.join(", ")}`,
      ),
  ];
}

/** The file of a run's progress. */
export interface ProgressFile {
  /** What an interrupted run of this plan (and seed, if one is asked for) has found out. */
  read(plan: string, seed: number | undefined): Progress | undefined;
  write(progress: Progress): Promise<void>;
  remove(): void;
}

export function progressFile(file: string): ProgressFile {
  return {
    read(plan, seed) {
      let progress: Progress;
      try {
        progress = JSON.parse(readFileSync(file, "utf8")) as Progress;
      } catch {
        return undefined;
      }
      return progress.plan === plan && (seed === undefined || progress.seed === seed) ? progress : undefined;
    },
    async write(progress) {
      mkdirSync(dirname(file), { recursive: true });
      await writeWhole(file, `${JSON.stringify(progress)}\n`);
    },
    remove: () => rmSync(file, { force: true }),
  };
}

/** What `results/latest.json` holds: totals in flat fields, then how and what. */
export function report(
  progress: Progress,
  about: { readonly smoke: boolean; readonly transport: string; readonly durationMs: number },
): string {
  const { seed, rows, mutations, scenarios } = progress;
  const { smoke, transport } = about;
  const durationS = Math.round(about.durationMs / 1_000);
  const whole = {
    ...totalsOf(progress),
    seed,
    smoke,
    transport,
    duration_s: durationS,
    rows,
    mutation_rows: mutations,
    scenario_rows: scenarios,
  };
  return `${JSON.stringify(whole, undefined, 2)}\n`;
}
