import type { LoadResult } from "./load.ts";
import { type PeerProcess, startPeer, type Workload } from "./peer-process.ts";

/** A server and the client that makes its load, each a process of its own. */
export interface Pair {
  readonly server: PeerProcess;
  readonly client: PeerProcess;
}

/** What one peer did in one round. */
export interface Slice extends LoadResult {
  /** CPU time of server and client together: says more than throughput where others use the machine too. */
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
  /** Folder for CPU profiles of both. */
  readonly profileDirectory?: string | undefined;
}

/** Starts a server, and a client that knows where it listens. */
export async function startPair(resources: AsyncDisposableStack, options: PairOptions): Promise<Pair> {
  const { name, env, profileDirectory } = options;
  const start = (program: string, more: Record<string, string>): PeerProcess =>
    resources.use(startPeer(program, { env: { ...env, ...more, BENCH_TAG: name }, profileDirectory }));
  const server = start(options.server, {});
  const answer = await server.ask({ kind: "start" });
  if (!("port" in answer)) throw new Error(`${name}: its server names no port`);
  return { server, client: start(options.client, { BENCH_ADDRESS: `127.0.0.1:${answer.port}` }) };
}

/** Has a client make load for a while. */
export async function measureSlice({ server, client }: Pair, workload: Workload): Promise<Slice> {
  const before = await cpuMsOf(server);
  const answer = await client.ask({ kind: "load", ...workload });
  const after = await cpuMsOf(server);
  if (!("calls" in answer)) throw new Error("a client measured nothing");
  const clientCpuUsPerCall = (answer.cpuMs * 1000) / answer.calls;
  const serverCpuUsPerCall = ((after - before) * 1000) / answer.calls;
  return { ...answer, clientCpuUsPerCall, serverCpuUsPerCall, cpuUsPerCall: clientCpuUsPerCall + serverCpuUsPerCall };
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
