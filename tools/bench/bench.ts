import { measureRound, measureSlice, type Pair, type Slice, startPair } from "./pair.ts";
import { prepare } from "./surroundings.ts";

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

/** One row: what each peer did in each round. */
export interface Measured {
  readonly inFlight: number;
  readonly rounds: readonly Readonly<Record<Peer, Slice>>[];
}

const programs: Readonly<Record<Peer, string>> = { weft: "weft", "weft-twin": "weft", "grpc-js": "grpc-js" };
const peers: readonly Peer[] = ["weft", "grpc-js", "weft-twin"];
const inFlights = [1, 64];

/** Measures unary echo of 11 bytes: the mesh's plain gRPC with everything on against bare grpc-js without TLS. */
export async function runBench({ rounds, sliceMs, warmUpMs, profileDirectory }: BenchPlan): Promise<Measured[]> {
  await using resources = new AsyncDisposableStack();
  const { env } = await prepare(resources, ["echo", "bench"]);
  const pairs = new Map<Peer, Pair>();
  for (const name of peers) {
    const [server, client] = [`${programs[name]}-server`, `${programs[name]}-client`];
    pairs.set(name, await startPair(resources, { name, server, client, env, profileDirectory }));
  }
  const load = async (peer: Peer, inFlight: number, durationMs: number): Promise<Slice> => {
    const pair = pairs.get(peer);
    if (!pair) throw new Error(`${peer} was not started`);
    return await measureSlice(pair, { workload: "echo", inFlight, durationMs });
  };
  for (const peer of peers) await load(peer, Math.max(...inFlights), warmUpMs);

  const rows = inFlights.map((inFlight) => ({ inFlight, rounds: [] as Record<Peer, Slice>[] }));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows)
      row.rounds.push(await measureRound(peers, round, (peer) => load(peer, row.inFlight, sliceMs)));
  }
  return rows;
}
