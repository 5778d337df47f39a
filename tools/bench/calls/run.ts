import { join } from "node:path";
import { measureRound, measureSlice, type Pair, type Slice, startPair } from "../pair.ts";
import { prepare, type Surroundings } from "../surroundings.ts";
import type { WorkloadName } from "../workloads.ts";
import { type PeerName, peers } from "./peers.ts";
import type { CallsPlan, Cell } from "./plan.ts";
import { createSidecars } from "./sidecars.ts";

/** What each peer did in each round at one thing. */
export interface MeasuredCell extends Cell {
  readonly rounds: readonly Readonly<Record<PeerName, Slice>>[];
}

export interface RunningPeers {
  readonly pairs: ReadonlyMap<PeerName, Pair>;
  readonly surroundings: Surroundings;
}

/** Starts a server and a client for each peer, all processes of their own. */
export async function startPeers(
  resources: AsyncDisposableStack,
  names: readonly PeerName[],
  nginx: string | undefined,
): Promise<RunningPeers> {
  const surroundings = await prepare(resources, ["bench", "caller", "sidecar"]);
  const start = async (name: PeerName): Promise<[PeerName, Pair]> => {
    const { program, env, sidecars } = peers[name];
    const { directory } = surroundings;
    const certificates = join(directory, "sidecar");
    const detour = sidecars && nginx ? createSidecars(resources, { nginx, directory, certificates }) : undefined;
    const programs = { server: `${program}-server`, client: `${program}-client` };
    return [name, await startPair(resources, { name, ...programs, detour, env: { ...surroundings.env, ...env } })];
  };
  return { pairs: new Map(await Promise.all(names.map(start))), surroundings };
}

/** Has each peer make each kind of call until its code is compiled. */
export async function warmUp(pairs: ReadonlyMap<PeerName, Pair>, plan: CallsPlan): Promise<void> {
  const inFlight = 64;
  for (const [name, pair] of pairs) {
    for (const workload of workloadsOf(plan.cells, name)) {
      await measureSlice(pair, { workload, inFlight, durationMs: plan.warmUpMs[workload] });
    }
  }
}

/** Measures all cells in turn, round by round: the machine's noise hits all alike. */
export async function measureCells(
  pairs: ReadonlyMap<PeerName, Pair>,
  plan: CallsPlan,
  now: () => number,
): Promise<MeasuredCell[]> {
  const cells = plan.cells.map((cell) => ({
    ...cell,
    peers: cell.peers.filter((name) => pairs.has(name)),
    rounds: [] as Record<PeerName, Slice>[],
  }));
  const startedAt = now();
  let roundMs = 0;
  for (let round = 0; round < plan.roundsMax; round++) {
    const beganAt = now();
    // A round that would not end in time is not begun.
    if (round >= plan.roundsMin && beganAt + roundMs > startedAt + plan.timeMs) break;
    for (const { workload, inFlight, peers: names, rounds } of cells) {
      const load = async (name: PeerName): Promise<Slice> => {
        const pair = pairs.get(name);
        if (!pair) throw new Error(`${name} was not started`);
        return await measureSlice(pair, { workload, inFlight, durationMs: plan.sliceMs });
      };
      rounds.push(await measureRound(names, round, load));
    }
    roundMs = now() - beganAt;
  }
  return cells;
}

function workloadsOf(cells: readonly Cell[], name: PeerName): WorkloadName[] {
  return [...new Set(cells.filter((cell) => cell.peers.includes(name)).map(({ workload }) => workload))];
}
