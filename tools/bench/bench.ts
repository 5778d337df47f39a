import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCertificateAuthority } from "../dev/certificates.ts";
import type { LoadOptions, LoadResult } from "./load.ts";
import { type PeerProcess, startPeer } from "./peer-process.ts";

/** How long and how often to measure. */
export interface BenchPlan {
  readonly rounds: number;
  readonly sliceMs: number;
  /** For each peer: tens of thousands of calls, or slices measure the compiler. */
  readonly warmUpMs: number;
  /** Folder for CPU profiles of all processes. */
  readonly profileDirectory?: string | undefined;
}

/** The mesh, a second instance of it that shows the noise, and what it is compared with. */
export type Peer = "weft" | "weft-twin" | "grpc-js";

/** What one peer did in one round. */
export interface Slice extends LoadResult {
  /** CPU time of server and client together: says more than throughput where others use the machine too. */
  readonly cpuUsPerCall: number;
}

/** One row: what each peer did in each round. */
export interface Measured {
  readonly inFlight: number;
  readonly rounds: readonly Readonly<Record<Peer, Slice>>[];
}

interface Pair {
  readonly server: PeerProcess;
  readonly client: PeerProcess;
}

const programs: Readonly<Record<Peer, string>> = { weft: "weft", "weft-twin": "weft", "grpc-js": "grpc-js" };
const peers: readonly Peer[] = ["weft", "grpc-js", "weft-twin"];
const inFlights = [1, 64];

/** Measures unary echo of 11 bytes: the mesh's plain gRPC with everything on against bare grpc-js without TLS. */
export async function runBench(plan: BenchPlan): Promise<Measured[]> {
  await using resources = new AsyncDisposableStack();
  const env = await prepare(resources);
  const pairs = new Map<Peer, Pair>();
  for (const peer of peers) {
    const { profileDirectory } = plan;
    const start = (program: string, more: Record<string, string>): PeerProcess =>
      resources.use(startPeer(program, { env: { ...env, ...more, BENCH_TAG: peer }, profileDirectory }));
    const server = start(`${programs[peer]}-server`, {});
    const answer = await server.ask({ kind: "start" });
    if (!("port" in answer)) throw new Error(`${peer}: its server names no port`);
    const client = start(`${programs[peer]}-client`, { BENCH_ADDRESS: `127.0.0.1:${answer.port}` });
    pairs.set(peer, { server, client });
  }
  const load = async (peer: Peer, inFlight: number, durationMs: number): Promise<Slice> => {
    const pair = pairs.get(peer);
    if (!pair) throw new Error(`${peer} was not started`);
    return await measureSlice(pair, { inFlight, durationMs });
  };
  for (const peer of peers) await load(peer, Math.max(...inFlights), plan.warmUpMs);

  const rows = inFlights.map((inFlight) => ({ inFlight, rounds: [] as Record<Peer, Slice>[] }));
  for (let round = 0; round < plan.rounds; round++) {
    for (const row of rows)
      row.rounds.push(await measureRound(round, (peer) => load(peer, row.inFlight, plan.sliceMs)));
  }
  return rows;
}

async function measureSlice({ server, client }: Pair, options: LoadOptions): Promise<Slice> {
  const cpuMs = async (): Promise<number> => {
    const answers = await Promise.all([server, client].map((peer) => peer.ask({ kind: "cpu" })));
    return answers.reduce((sum, answer) => sum + ("cpuMs" in answer ? answer.cpuMs : Number.NaN), 0);
  };
  const before = await cpuMs();
  const answer = await client.ask({ kind: "load", ...options });
  if (!("calls" in answer)) throw new Error("a client measured nothing");
  return { ...answer, cpuUsPerCall: (((await cpuMs()) - before) * 1000) / answer.calls };
}

/** Each peer once, in an order that turns, so that none is always first. */
async function measureRound(round: number, measure: (peer: Peer) => Promise<Slice>): Promise<Record<Peer, Slice>> {
  const order = peers.map((_, index) => peers[(index + round) % peers.length] as Peer);
  const results: [Peer, Slice][] = [];
  for (const peer of order) results.push([peer, await measure(peer)]);
  return Object.fromEntries(results) as Record<Peer, Slice>;
}

/** Certificates for both sides, and a collector that takes spans and forgets them. */
async function prepare(resources: AsyncDisposableStack): Promise<Record<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain: "bench.local" });
  for (const name of ["echo", "bench"]) await authority.ensure(name);
  const collector = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  resources.defer(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const { port } = collector.address() as AddressInfo;
  return { BENCH_CERTIFICATES: directory, BENCH_OTLP_URL: `http://127.0.0.1:${port}` };
}
