import { formatInProcess, measureInProcess } from "../micro/in-process.ts";
import { endpointCounts, formatPicks, measurePick } from "../micro/pick.ts";
import { formatReplicas, measureReplicas } from "../micro/replicas.ts";
import { writePlot, writeResults } from "../results.ts";
import type { BenchRun } from "../run.ts";
import { installPeers } from "./packages.ts";
import { type PeerName, peers } from "./peers.ts";
import { type CallsPlan, fullPlan, quickPlan } from "./plan.ts";
import { plot } from "./plot.ts";
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
  const { rows, stages } = await measureCalls(plan, run);
  console.log(`\n${formatRows(rows)}\n\n${formatStages(stages)}\n`);
  for (const missed of missedStages(stages)) console.log(`NOT EVERYTHING WAS ON: ${missed}`);
  const inProcess = await measureInProcess(run.quick ? inProcessPlans.quick : inProcessPlans.full);
  const picks = endpointCounts.map((endpoints) => measurePick(endpoints, 50_000));
  console.log(`${formatInProcess(inProcess)}\n${formatPicks(picks)}\n`);
  const replicas = run.quick ? undefined : await measureReplicas(200, 4_000);
  if (replicas) console.log(`${formatReplicas(replicas)}\n`);
  const figures = { ...headline(rows), inprocess_per_s: Math.round(inProcess.callsPerSecond) };
  await writeResults("latest.json", run, { headline: figures, rows, stages, inProcess, picks, replicas });
  if (!run.quick) await writePlot("calls.svg", plot(rows, "echo", plotTitle(run)));
}

async function measureCalls(plan: CallsPlan, { startedAt }: BenchRun): Promise<{ rows: Row[]; stages: StageCount[] }> {
  await using resources = new AsyncDisposableStack();
  const names = [...new Set(plan.cells.flatMap((cell) => cell.peers))];
  const nginx = names.some((name) => peers[name].sidecars) ? await locateNginx(console.log).catch(skipped) : undefined;
  const able = names.filter((name: PeerName) => !peers[name].sidecars || nginx !== undefined);
  const { pairs } = await startPeers(resources, able, { nginx, countStages: true });
  await warmUp(pairs, plan);
  const measured = await measureCells(pairs, plan, () => Date.now() - startedAt.getTime());
  console.log(`medians of ${measured[0]?.rounds.length} rounds (lowest to highest)`);
  return { rows: measured.map(summarize), stages: await countStages(pairs) };
}

function skipped(error: unknown): undefined {
  console.log(`without sidecars: ${error instanceof Error ? error.message : error}`);
}

function plotTitle({ machine, startedAt }: BenchRun): string {
  const on = `Node ${machine.node} on ${machine.cpus} cores, ${startedAt.toISOString().slice(0, 10)}`;
  return `Unary echo of 11 bytes, weft with everything on, the others bare. ${on}`;
}
