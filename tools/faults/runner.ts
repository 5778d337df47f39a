import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TransportChoice } from "../../mesh/client/edge-settings.ts";
import { seededRandom } from "../dev/history/chance.ts";
import { faultOf } from "./catalogue/catalogue.ts";
import { runCell } from "./cell.ts";
import type { Finding } from "./checks/finding.ts";
import { DEFAULT_MUTATION_FAULTS, MUTATION_FAULTS } from "./mutation-faults.ts";
import { mutationNamed } from "./mutations/mutations.ts";
import { replayStream } from "./replay-stream.ts";
import { countFindings, type FaultRow, type MutationRow, type ScenarioRow } from "./results.ts";
import { scenarioNamed } from "./scenarios/scenarios.ts";
import { type Cell, deriveSeed } from "./schedule.ts";
import { startWorld, type World } from "./world.ts";

export interface RunnerOptions {
  /** Where worlds live while they do, and what is left of those that failed. */
  readonly directory: string;
  readonly cacheDirectory: string;
  readonly seed: number;
  /** Operations a second. */
  readonly rate: number;
  /** Worlds at a time. One is under load, the others come to rest meanwhile. */
  readonly lanes: number;
  /** How much of each scenario, up to 1. */
  readonly share: number;
  /** How calls between services leave. */
  readonly transport: TransportChoice;
  readonly say: (line: string) => void;
}

export interface Work {
  readonly cells: readonly Cell[];
  readonly mutations: readonly string[];
  readonly scenarios: readonly string[];
  readonly onRow: (row: FaultRow) => Promise<void>;
  readonly onMutation: (row: MutationRow) => Promise<void>;
  readonly onScenario: (row: ScenarioRow) => Promise<void>;
}

/** Cells that one world bears: the mail catcher forgets, and what is checked after each cell grows. */
const CELLS_PER_WORLD_MAX = 10;
const REPLAY_TIMEOUT_MS = 60_000;
const OPEN_TRIES_MAX = 3;

/** Runs all cells, then all scenarios, then all mutations. */
export async function runAll(options: RunnerOptions, work: Work): Promise<void> {
  const alone = createMutex();
  const cells = [...work.cells];
  const scenarios = [...work.scenarios];
  const mutations = [...work.mutations];
  let worlds = 0;

  const open = async (mutated: readonly string[]): Promise<World> => {
    for (let tries = 1; ; tries += 1) {
      worlds += 1;
      const directory = join(options.directory, "worlds", `${process.pid}-${worlds}`);
      const { cacheDirectory, rate, transport } = options;
      try {
        // Starting takes both cores for some seconds.
        return await alone(() => startWorld({ directory, cacheDirectory, rate, transport, mutations: mutated }));
      } catch (error) {
        // Between the moment when a port was free and its use somebody else has taken it; or the machine was too busy for a start.
        if (tries === OPEN_TRIES_MAX) throw error;
        options.say(`a shop could not be started, once more: ${String(error).split("\n")[0]}`);
      }
    }
  };

  const runCells = async (): Promise<void> => {
    while (cells.length > 0) {
      const world = await open([]);
      let kept = "";
      try {
        for (let count = 1; cells.length > 0; count += 1) {
          const cell = cells.shift();
          if (cell === undefined) break;
          const row = await runCell({ world, alone, fault: faultOf(cell.kind) }, cell);
          const retires = count >= CELLS_PER_WORLD_MAX || cells.length === 0 || row.findings.length > 0;
          const whole = retires ? withFindings(row, await alone(() => replay(world))) : row;
          await work.onRow(whole);
          if (whole.findings.length > 0) kept = cell.name.replaceAll("/", "-");
          if (retires) break;
        }
      } finally {
        await close(options, world, kept);
      }
    }
  };

  const runScenarios = async (): Promise<void> => {
    for (let name = scenarios.shift(); name !== undefined; name = scenarios.shift()) {
      const world = await open([]);
      let kept = "";
      try {
        const row = await runScenario(options, world, alone, name);
        await work.onScenario(row);
        if (row.findings.length > 0) kept = name;
      } finally {
        await close(options, world, kept);
      }
    }
  };

  const runMutations = async (): Promise<void> => {
    for (let name = mutations.shift(); name !== undefined; name = mutations.shift()) {
      const world = await open([name]);
      try {
        await work.onMutation(await runMutation(options, world, alone, name));
      } finally {
        await close(options, world, "");
      }
    }
  };

  const lane = async (): Promise<void> => {
    await runCells();
    await runScenarios();
    await runMutations();
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
}

/** Tells a story in a world of its own, with both cores to itself. */
async function runScenario(
  { seed, share, say }: RunnerOptions,
  world: World,
  alone: <T>(work: () => Promise<T>) => Promise<T>,
  name: string,
): Promise<ScenarioRow> {
  const { what, run } = scenarioNamed(name);
  const random = seededRandom(deriveSeed(seed, name));
  const { figures, findings } = await alone(() => run({ world, random, share, say }));
  return { scenario: name, what, figures, findings };
}

/** Gives a mutated shop one fault after another until an invariant reports what the mutation was made for. */
async function runMutation(
  { seed }: RunnerOptions,
  world: World,
  alone: <T>(work: () => Promise<T>) => Promise<T>,
  mutation: string,
): Promise<MutationRow> {
  const { caughtBy: wanted } = mutationNamed(mutation);
  const cells: string[] = [];
  const found = new Set<string>();
  const isCaught = () => wanted.some((invariant) => found.has(invariant));
  for (const kind of MUTATION_FAULTS[mutation] ?? DEFAULT_MUTATION_FAULTS) {
    const name = `${mutation}: ${kind}`;
    cells.push(kind);
    const row = await runCell({ world, alone, fault: faultOf(kind) }, { name, kind, seed: deriveSeed(seed, name) });
    for (const { invariant } of row.findings) found.add(invariant);
    if (isCaught()) break;
    for (const { invariant } of await alone(() => replay(world))) found.add(invariant);
    if (isCaught()) break;
  }
  const ordered = [...found].toSorted((a, b) => Number(wanted.includes(b)) - Number(wanted.includes(a)));
  return { mutation, cells, caughtBy: ordered, isCaught: isCaught() };
}

/** Tells the world's whole past again: nothing may change. */
async function replay(world: World): Promise<Finding[]> {
  return (await replayStream(world.truth, REPLAY_TIMEOUT_MS)).findings;
}

function withFindings(row: FaultRow, findings: readonly Finding[]): FaultRow {
  const more = countFindings(findings);
  return {
    ...row,
    lost: row.lost + more.lost,
    duplicated: row.duplicated + more.duplicated,
    unresolved: row.unresolved + more.unresolved,
    findings: [...row.findings, ...more.findings],
  };
}

/** Ends a world. Of one that failed, logs and all are kept under `failed/`. */
async function close(options: RunnerOptions, world: World, kept: string): Promise<void> {
  const { directory } = world.stack;
  await world[Symbol.asyncDispose]();
  if (kept === "") return await rm(directory, { recursive: true, force: true });
  const target = join(options.directory, "failed", kept);
  await rm(target, { recursive: true, force: true });
  await mkdir(dirname(target), { recursive: true });
  await rename(directory, target);
  options.say(`logs of ${kept} are in ${target}`);
}

/** Lets one after another work. */
function createMutex(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}
