import { join } from "node:path";
import { measureRound, measureSlice, type Pair, type Slice, startPair } from "../pair.ts";
import { prepare, type Surroundings } from "../surroundings.ts";
import type { WorkloadName } from "../workloads.ts";
import { type PeerName, peers, weftPeers } from "./peers.ts";
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

const failedSlice: Slice = {
  ...{ calls: 0, callsPerSecond: Number.NaN, p50Ms: Number.NaN, p99Ms: Number.NaN, cpuMs: Number.NaN },
  ...{ cpuUsPerCall: Number.NaN, clientCpuUsPerCall: Number.NaN, serverCpuUsPerCall: Number.NaN },
};

export interface StartOptions {
  /** The program; peers with sidecars need it. */
  readonly nginx?: string | undefined;
  /** The mesh's processes count the calls at each stage. */
  readonly countStages?: boolean;
}

/** Starts a server and a client for each peer, all processes of their own. */
export async function startPeers(
  resources: AsyncDisposableStack,
  names: readonly PeerName[],
  { nginx, countStages = false }: StartOptions = {},
): Promise<RunningPeers> {
  const surroundings = await prepare(resources, ["bench", "caller", "sidecar"]);
  const start = async (name: PeerName): Promise<[PeerName, Pair]> => {
    const { program, env, sidecars } = peers[name];
    const { directory } = surroundings;
    const certificates = join(directory, "sidecar");
    const detour = sidecars && nginx ? createSidecars(resources, { nginx, directory, certificates }) : undefined;
    const programs = { server: `${program}-server`, client: `${program}-client` };
    const preload = program === "weft" && countStages ? "count-stages" : undefined;
    const options = { name, ...programs, detour, preload, env: { ...surroundings.env, ...env } };
    return [name, await startPair(resources, options)];
  };
  return { pairs: new Map(await Promise.all(names.map(start))), surroundings };
}

/** Has each peer make each kind of call until its code is compiled. */
export async function warmUp(pairs: ReadonlyMap<PeerName, Pair>, plan: CallsPlan): Promise<void> {
  const inFlight = 64;
  for (const [name, pair] of pairs) {
    for (const workload of workloadsOf(plan.cells, name)) {
      const durationMs = plan.warmUpMs[workload];
      await measureSlice(pair, { workload, inFlight, durationMs }).catch((error) => forgive(name, workload, error));
    }
  }
}

/** Measures all cells in turn, round by round: the machine's noise hits all alike. A peer that fails at something is left out there. */
export async function measureCells(
  pairs: ReadonlyMap<PeerName, Pair>,
  plan: CallsPlan,
  elapsedMs: () => number,
): Promise<MeasuredCell[]> {
  const cells = plan.cells.map((cell) => ({
    ...cell,
    peers: cell.peers.filter((name) => pairs.has(name)),
    rounds: [] as Record<PeerName, Slice>[],
  }));
  let roundMs = 0;
  for (let round = 0; round < plan.roundsMax; round++) {
    const beganAt = elapsedMs();
    // A round that would not end in time is not begun.
    if (round >= plan.roundsMin && beganAt + roundMs > plan.endByMs) break;
    for (const cell of cells) cell.rounds.push(await measureRound(cell.peers, round, (name) => measure(cell, name)));
    roundMs = elapsedMs() - beganAt;
  }
  return cells;

  async function measure(cell: { peers: PeerName[] } & Cell, name: PeerName): Promise<Slice> {
    const pair = pairs.get(name);
    if (!pair) throw new Error(`${name} was not started`);
    const { workload, inFlight } = cell;
    try {
      return await measureSlice(pair, { workload, inFlight, durationMs: plan.sliceMs });
    } catch (error) {
      forgive(name, `${workload}, ${inFlight} in flight`, error);
      cell.peers = cell.peers.filter((other) => other !== name);
      return failedSlice;
    }
  }
}

/** Ours may not fail. */
function forgive(name: PeerName, what: string, error: unknown): void {
  if (weftPeers.some((weft) => weft === name)) throw error;
  console.log(`${peers[name].title} fails at ${what}: ${error instanceof Error ? error.message : error}`);
}

function workloadsOf(cells: readonly Cell[], name: PeerName): WorkloadName[] {
  return [...new Set(cells.filter((cell) => cell.peers.includes(name)).map(({ workload }) => workload))];
}
