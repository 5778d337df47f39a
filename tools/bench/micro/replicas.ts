import { readFile } from "node:fs/promises";
import { startPeer } from "../peer-process.ts";
import { prepare } from "../surroundings.ts";

/** What a client of many replicas keeps open while it calls them. */
export interface ReplicasFigures {
  readonly replicas: number;
  readonly connections: number;
  /** Replicas that it has a connection to. */
  readonly connected: number;
  readonly callsPerSecond: number;
}

/**
 * Has one client call so many replicas, 64 calls in flight: one server process that answers on as many addresses of the loopback, so
 * Linux only.
 */
export async function measureReplicas(replicas: number, durationMs: number): Promise<ReplicasFigures | undefined> {
  if (process.platform !== "linux") return undefined;
  await using resources = new AsyncDisposableStack();
  const { env } = await prepare(resources, ["bench", "caller"]);
  const server = resources.use(startPeer("weft-server", { env: { ...env, BENCH_HOST: "0.0.0.0" } }));
  const listening = await server.ask({ kind: "start" });
  if (!("port" in listening)) throw new Error("the server names no port");
  const { port } = listening;
  const addresses = Array.from({ length: replicas }, (_, index) => `${loopbackAddress(index)}:${port}`);
  const client = resources.use(startPeer("weft-client", { env: { ...env, BENCH_ADDRESSES: addresses.join(",") } }));
  const answer = await client.ask({ kind: "load", workload: "echo", inFlight: 64, durationMs });
  if (!("calls" in answer)) throw new Error("the client measured nothing");
  const remotes = connectionsTo(await readFile("/proc/net/tcp", "latin1"), port);
  const { callsPerSecond } = answer;
  return { replicas, connections: remotes.length, connected: new Set(remotes).size, callsPerSecond };
}

/** 127.0.1.1, 127.0.1.2 and so on. */
function loopbackAddress(index: number): string {
  return `127.0.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}

/** The remote ends of all open connections to a port. @param table as /proc/net/tcp has it */
export function connectionsTo(table: string, port: number): string[] {
  const established = "01";
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => remote?.endsWith(ending) && state === established)
    .map(([, , remote = ""]) => remote);
}

export function formatReplicas({ replicas, connections, connected, callsPerSecond }: ReplicasFigures): string {
  const what = `a client of ${replicas} replicas, 64 calls in flight, keeps ${connections} connections to ${connected} of them`;
  return `${what}: ${Math.round(callsPerSecond)} calls/s`;
}
