import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { round } from "../figures.ts";
import { formatInProcess, measureInProcess } from "../micro/in-process.ts";
import { endpointCounts, formatPicks, measurePick } from "../micro/pick.ts";
import { formatReplicas, measureReplicas } from "../micro/replicas.ts";
import type { Pair } from "../pair.ts";
import { writePlot, writeResults } from "../results.ts";
import type { BenchRun } from "../run.ts";
import { installPeers } from "./packages.ts";
import { type PeerName, peers } from "./peers.ts";
import { type CallsPlan, fullPlan, quickPlan } from "./plan.ts";
import { plot } from "./plot.ts";
import { formatCosts, profilePair, type SideProfile } from "./profile.ts";
import { formatRows, headline, type Row, summarize } from "./report.ts";
import { measureCells, startPeers, warmUp } from "./run.ts";
import { locateNginx } from "./sidecars.ts";
import { countStages, formatStages, missedStages, type StageCount } from "./stage-counts.ts";

const inProcessPlans = {
  quick: { rounds: 3, sliceMs: 500, warmUpMs: 1_000 },
  full: { rounds: 7, sliceMs: 1_000, warmUpMs: 3_000 },
};

/** Measures calls through the mesh beside its peers; prints tables and keeps the figures. */
export async function benchCalls(run: BenchRun): Promise<void> {
  const plan = run.quick ? quickPlan : fullPlan;
  console.log("unary calls: the mesh with everything on, mutual TLS among it, and what teams pick instead");
  await installPeers(console.log);
  const { rows, stages, costs } = await measureCalls(plan, run);
  console.log(`\n${formatRows(rows)}\n\n${formatStages(stages)}\n`);
  for (const missed of missedStages(stages)) console.log(`NOT EVERYTHING WAS ON: ${missed}`);
  if (costs) console.log(`echo, 64 in flight, where the microseconds go:\n${formatCosts(costs)}\n`);
  const inProcess = await measureInProcess(run.quick ? inProcessPlans.quick : inProcessPlans.full);
  const picks = endpointCounts.map((endpoints) => measurePick(endpoints, 50_000));
  console.log(`${formatInProcess(inProcess)}\n${formatPicks(picks)}\n`);
  const replicas = run.quick ? undefined : await measureReplicas(200, 4_000);
  if (replicas) console.log(`${formatReplicas(replicas)}\n`);
  const figures = { ...headline(rows), inprocess_per_s: Math.round(inProcess.callsPerSecond) };
  await writeResults("latest.json", run, {
    headline: figures,
    rows,
    stages,
    costs: costs?.map(withoutFunctions),
    inProcess,
    picks,
    replicas,
  });
  if (!run.quick) await writePlot("calls.svg", plot(rows, "echo", plotTitle(run)));
}

interface MeasuredCalls {
  readonly rows: Row[];
  readonly stages: StageCount[];
  readonly costs: SideProfile[] | undefined;
}

async function measureCalls(plan: CallsPlan, { startedAt, quick }: BenchRun): Promise<MeasuredCalls> {
  await using resources = new AsyncDisposableStack();
  const names = [...new Set(plan.cells.flatMap((cell) => cell.peers))];
  const nginx = names.some((name) => peers[name].sidecars) ? await locateNginx(console.log).catch(skipped) : undefined;
  const able = names.filter((name: PeerName) => !peers[name].sidecars || nginx !== undefined);
  const { pairs } = await startPeers(resources, able, { nginx, countStages: true });
  await warmUp(pairs, plan);
  const measured = await measureCells(pairs, plan, () => Date.now() - startedAt.getTime());
  console.log(`medians of ${measured[0]?.rounds.length} rounds (lowest to highest)`);
  const stages = await countStages(pairs);
  const weft = pairs.get("weft");
  return { rows: measured.map(summarize), stages, costs: quick || !weft ? undefined : await profileBriefly(weft) };
}

/** At the end, since it slows what it looks at. */
async function profileBriefly(pair: Pair): Promise<SideProfile[]> {
  const files = await mkdtemp(join(tmpdir(), "weft-profile-"));
  try {
    return await profilePair(pair, { workload: "echo", inFlight: 64, durationMs: 3_000 }, files);
  } finally {
    await rm(files, { recursive: true });
  }
}

function withoutFunctions({ side, cpuUsPerCall, stages }: SideProfile): object {
  return { side, cpuUsPerCall, stages: Object.fromEntries(stages.map(([stage, us]) => [stage, round(us)])) };
}

function skipped(error: unknown): undefined {
  console.log(`without sidecars: ${error instanceof Error ? error.message : error}`);
}

function plotTitle({ machine, startedAt }: BenchRun): string {
  const on = `Node ${machine.node} on ${machine.cpus} cores, ${startedAt.toISOString().slice(0, 10)}`;
  return `Unary echo of 11 bytes, weft with everything on, the others bare. ${on}`;
}
