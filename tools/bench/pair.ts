import type { LoadResult } from "./load.ts";
import { type PeerProcess, startPeer, type Workload } from "./peer-process.ts";

/** A server and the client that makes its load, each a process of its own. */
export interface Pair {
  readonly server: PeerProcess;
  readonly client: PeerProcess;
  /** CPU time of what stands between them. */
  readonly detourCpuMs?: () => number;
}

/** What calls go through on their way to an address: where a client calls instead, and the CPU time that it takes. */
export type Detour = (address: string) => Promise<{ readonly address: string; readonly cpuMs: () => number }>;

/** What one peer did in one round. */
export interface Slice extends LoadResult {
  /** CPU time of server, client and what stands between them: says more than throughput where others use the machine too. */
  readonly cpuUsPerCall: number;
  readonly clientCpuUsPerCall: number;
  readonly serverCpuUsPerCall: number;
}

export interface PairOptions {
  readonly name: string;
  /** Programs in peers/. */
  readonly server: string;
  readonly client: string;
  readonly env: Readonly<Record<string, string>>;
  readonly detour?: Detour | undefined;
  /** A module in peers/ that both load first. */
  readonly preload?: string | undefined;
  /** Folder for CPU profiles of both. */
  readonly profileDirectory?: string | undefined;
}

/** Starts a server, and a client that knows where it listens. */
export async function startPair(resources: AsyncDisposableStack, options: PairOptions): Promise<Pair> {
  const { name, env, preload, profileDirectory } = options;
  const start = (program: string, more: Record<string, string>): PeerProcess =>
    resources.use(startPeer(program, { env: { ...env, ...more, BENCH_TAG: name }, preload, profileDirectory }));
  const server = start(options.server, {});
  const answer = await server.ask({ kind: "start" });
  if (!("port" in answer)) throw new Error(`${name}: its server names no port`);
  const address = `127.0.0.1:${answer.port}`;
  const detour = await options.detour?.(address);
  const client = start(options.client, { BENCH_ADDRESS: detour?.address ?? address });
  return { server, client, ...(detour && { detourCpuMs: detour.cpuMs }) };
}

/** Has a client make load for a while. */
export async function measureSlice({ server, client, detourCpuMs }: Pair, workload: Workload): Promise<Slice> {
  const before = { server: await cpuMsOf(server), detour: detourCpuMs?.() ?? 0 };
  const answer = await client.ask({ kind: "load", ...workload });
  const after = { server: await cpuMsOf(server), detour: detourCpuMs?.() ?? 0 };
  if (!("calls" in answer)) throw new Error("a client measured nothing");
  const perCall = (cpuMs: number): number => (cpuMs * 1000) / answer.calls;
  const clientCpuUsPerCall = perCall(answer.cpuMs);
  const serverCpuUsPerCall = perCall(after.server - before.server);
  const cpuUsPerCall = clientCpuUsPerCall + serverCpuUsPerCall + perCall(after.detour - before.detour);
  return { ...answer, clientCpuUsPerCall, serverCpuUsPerCall, cpuUsPerCall };
}

async function cpuMsOf(peer: PeerProcess): Promise<number> {
  const answer = await peer.ask({ kind: "cpu" });
  return "cpuMs" in answer ? answer.cpuMs : Number.NaN;
}

/** Each peer once, in an order that turns, so that none is always first. */
export async function measureRound<Peer extends string, Result>(
  peers: readonly Peer[],
  round: number,
  measure: (peer: Peer) => Promise<Result>,
): Promise<Record<Peer, Result>> {
  const order = peers.map((_, index) => peers[(index + round) % peers.length] as Peer);
  const results: [Peer, Result][] = [];
  for (const peer of order) results.push([peer, await measure(peer)]);
  return Object.fromEntries(results) as Record<Peer, Result>;
}
