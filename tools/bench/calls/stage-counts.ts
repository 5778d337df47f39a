import { formatTable } from "../../cli/output.ts";
import type { Pair } from "../pair.ts";
import { stageCounters } from "../peers/stage-counters.ts";
import { type PeerName, peers, weftPeers } from "./peers.ts";

/** How many of the calls that one instance of the mesh has made, warm-up and all, have passed a stage. */
export interface StageCount {
  readonly peer: PeerName;
  readonly side: "client" | "server";
  readonly stage: string;
  readonly passed: number;
  readonly calls: number;
}

/** Asks the mesh's processes what they have counted. */
export async function countStages(pairs: ReadonlyMap<PeerName, Pair>): Promise<StageCount[]> {
  const counts: StageCount[] = [];
  for (const peer of weftPeers) {
    const pair = pairs.get(peer);
    if (!pair) continue;
    const client = await countsOf(pair, "client");
    const server = await countsOf(pair, "server");
    const { calls = Number.NaN, ...ours } = client;
    for (const [side, stages] of [["client", ours] as const, ["server", server] as const]) {
      for (const [stage, passed] of Object.entries(stages)) counts.push({ peer, side, stage, passed, calls });
    }
  }
  return counts;
}

async function countsOf(pair: Pair, side: "client" | "server"): Promise<Readonly<Record<string, number>>> {
  const answer = await pair[side].ask({ kind: "counts" });
  if (!("counts" in answer)) throw new Error(`the ${side} has counted nothing`);
  return answer.counts;
}

/** Stages that a part of the calls has gone round, in words; those that only calls of some kind pass are none of them. */
export function missedStages(counts: readonly StageCount[]): string[] {
  const partial = new Set(
    stageCounters.filter((counter) => counter.partial).map(({ side, stage }) => `${side} ${stage}`),
  );
  return counts
    .filter(({ side, stage, passed, calls }) => !partial.has(`${side} ${stage}`) && passed < calls)
    .map(
      ({ peer, side, stage, passed, calls }) => `${peers[peer].title}, ${side}: ${stage} ${passed} of ${calls} calls`,
    );
}

/** A table: a stage a line, an instance a column. */
export function formatStages(counts: readonly StageCount[]): string {
  const names = [...new Set(counts.map(({ peer }) => peer))];
  const keys = [...new Set(counts.map(({ side, stage }) => `${side}\t${stage}`))];
  const cell = (peer: PeerName, key: string): string => {
    const count = counts.find((one) => one.peer === peer && `${one.side}\t${one.stage}` === key);
    return count === undefined ? "" : shareOf(count);
  };
  const calls = names.map((name) => String(counts.find(({ peer }) => peer === name)?.calls ?? ""));
  const lines = keys.map((key) => [...key.split("\t"), ...names.map((name) => cell(name, key))]);
  return formatTable(
    ["side", "stage", ...names.map((name) => peers[name].title)],
    [["", "calls made", ...calls], ...lines],
  );
}

/** "all" is as many as calls, or more where a call was repeated. */
function shareOf({ passed, calls }: StageCount): string {
  if (passed >= calls) return passed === calls ? "all" : `all, and ${passed - calls}`;
  return `${((passed / calls) * 100).toFixed(2)}%`;
}
