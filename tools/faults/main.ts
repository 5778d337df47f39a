import { spawn, spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findExecutable } from "../dev/processes/executables.ts";
import { writeWhole } from "../dev/processes/files.ts";
import { withLock } from "../dev/processes/lock.ts";
import { readOptions } from "./options.ts";
import { faultsOf, type Progress, progressFile, report } from "./results.ts";
import { runAll } from "./runner.ts";
import { schedule } from "./schedule.ts";
import { canMount } from "./stack/small-disk.ts";
import { mutationLine, scenarioLines, tableHeader, tableRow, totalsLine } from "./table.ts";

const WEFT = fileURLToPath(new URL("../../.weft/", import.meta.url));
const DIRECTORY = join(WEFT, "faults");
const RESULTS = fileURLToPath(new URL("results/latest.json", import.meta.url));
const LOCK_TIMEOUT_MS = 1_000;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Runs what the environment asks for; answers whether all is well. */
async function run(): Promise<boolean> {
  const startedAt = performance.now();
  const options = readOptions(process.env, canMount());
  const { kinds, mutations, scenarios, seedCount, share, transport, isSmoke } = options;
  const plan = JSON.stringify([kinds, mutations, scenarios, seedCount, share, transport]);
  const file = progressFile(join(DIRECTORY, "progress.json"));
  const before = options.isFresh ? undefined : file.read(plan, options.seed);
  const seed = before?.seed ?? options.seed ?? Math.floor(Math.random() * 1_000_000) + 1;
  let progress: Progress = before ?? { seed, plan, rows: [], mutations: [], scenarios: [] };
  const cells = schedule({ seed, kinds, seedCount });
  const counts = `${cells.length} cells, ${scenarios.length} scenarios, ${mutations.length} mutations`;
  say(`SEED=${seed}: ${counts}, ${options.rate} operations a second`);
  say(`in this order: ${cells.map(({ name }) => name).join(" ")}`);
  if (!canMount()) say("disk-full faults are left out: they need root, to mount a small file system");
  if (before) say(`going on where a run was interrupted: ${progress.rows.length} cells are done (FRESH=1 starts over)`);

  say(tableHeader());
  for (const row of progress.rows) say(tableRow(row));
  const isNew = (name: string) => !progress.rows.some(({ cell }) => cell === name);
  await runAll(
    {
      ...{ directory: DIRECTORY, cacheDirectory: join(WEFT, "cache"), seed, say },
      ...{ rate: options.rate, lanes: options.lanes, share, transport },
    },
    {
      cells: cells.filter(({ name }) => isNew(name)),
      mutations: mutations.filter((name) => !progress.mutations.some(({ mutation }) => mutation === name)),
      scenarios: scenarios.filter((name) => !progress.scenarios.some(({ scenario }) => scenario === name)),
      async onRow(row) {
        progress = { ...progress, rows: [...progress.rows, row] };
        await file.write(progress);
        say(tableRow(row));
        for (const line of faultsOf({ rows: [row], mutations: [] })) say(`  ${line}`);
      },
      async onScenario(row) {
        progress = { ...progress, scenarios: [...progress.scenarios, row] };
        await file.write(progress);
        for (const line of scenarioLines(row)) say(line);
        for (const line of faultsOf({ rows: [], mutations: [], scenarios: [row] })) say(`  ${line}`);
      },
      async onMutation(row) {
        progress = { ...progress, mutations: [...progress.mutations, row] };
        await file.write(progress);
        say(mutationLine(row));
      },
    },
  );
  // A part says nothing of the whole.
  if (options.isWhole) {
    await writeWhole(
      RESULTS,
      report(progress, { smoke: isSmoke, transport, durationMs: performance.now() - startedAt }),
    );
  }
  file.remove();
  const failures = faultsOf(progress);
  say(totalsLine(progress));
  for (const line of failures) say(`RED: ${line}`);
  if (failures.length > 0) say(`again: make faults SEED=${seed} ONLY=<kind>`);
  return failures.length === 0;
}

/** What a run that was killed has left on disk. */
async function sweep(): Promise<void> {
  const folder = join(DIRECTORY, "worlds");
  for (const name of await readdir(folder).catch(() => []))
    await rm(join(folder, name), { recursive: true, force: true });
}

/**
 * As root, this program again in a mount namespace of its own: what is mounted there is gone with the last process in it, and that dies
 * with this one.
 */
function runInOwnNamespace(unshare: string, setpriv: string): void {
  const args = ["--mount", setpriv, "--pdeathsig", "KILL", process.execPath, ...process.argv.slice(1)];
  const child = spawn(unshare, args, { stdio: "inherit", env: { ...process.env, FAULTS_NAMESPACE: "own" } });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 1));
}

async function main(): Promise<void> {
  const [unshare, setpriv] = [findExecutable("unshare"), findExecutable("setpriv")];
  const isRoot = process.getuid?.() === 0;
  if (isRoot && process.env.FAULTS_NAMESPACE === undefined && unshare !== undefined && setpriv !== undefined) {
    // In a container root may not.
    if (spawnSync(unshare, ["--mount", "true"]).status === 0) return runInOwnNamespace(unshare, setpriv);
  }
  // Children die with this process, however it ends: there is nothing to wait for.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const isWell = await withLock(join(DIRECTORY, "lock"), { timeoutMs: LOCK_TIMEOUT_MS }, async () => {
    await sweep();
    return await run();
  });
  process.exit(isWell ? 0 : 1);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}
