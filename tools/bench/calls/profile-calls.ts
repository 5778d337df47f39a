import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { measureSlice } from "../pair.ts";
import { startPeer, type Workload } from "../peer-process.ts";
import { prepare } from "../surroundings.ts";
import { installPeers } from "./packages.ts";
import { type PeerName, peers } from "./peers.ts";
import { formatProfile, profileAlone, profilePair, type SideProfile } from "./profile.ts";
import { startPeers } from "./run.ts";

const warmUpMs = 3_000;
const durationMs = 4_000;

export interface ProfileOptions {
  readonly directory: string;
  /** Peers, or "in-process". */
  readonly names?: readonly string[] | undefined;
  readonly workload?: string | undefined;
  readonly inFlight?: number | undefined;
}

/**
 * Prints where the CPU time of one call goes, on both sides, and keeps the profiles. Robust on a busy machine: it counts no time of
 * day.
 */
export async function profileCalls(options: ProfileOptions): Promise<void> {
  const { directory, names = ["weft", "weft-grpc", "in-process", "grpc-js"] } = options;
  const workload: Workload = { workload: options.workload ?? "echo", inFlight: options.inFlight ?? 64, durationMs };
  await installPeers(console.log);
  for (const name of names) {
    const files = join(directory, name);
    await mkdir(files, { recursive: true });
    const sides =
      name === "in-process" ? await profileInProcess(workload, files) : await profilePeer(name, workload, files);
    const sum = sides.reduce((all, { cpuUsPerCall }) => all + cpuUsPerCall, 0);
    console.log(`\n${name}, ${workload.workload}, ${workload.inFlight} in flight: ${sum.toFixed(1)} us of CPU a call`);
    console.log(`\n${formatProfile(sides)}\n\nthe profiles are in ${files}`);
  }
}

async function profilePeer(name: string, workload: Workload, files: string): Promise<SideProfile[]> {
  if (!(name in peers)) throw new Error(`PEERS=${name} is none of in-process, ${Object.keys(peers).join(", ")}`);
  await using resources = new AsyncDisposableStack();
  const { pairs } = await startPeers(resources, [name as PeerName]);
  const pair = pairs.get(name as PeerName);
  if (!pair) throw new Error(`${name} was not started`);
  await measureSlice(pair, { ...workload, durationMs: warmUpMs });
  return await profilePair(pair, workload, files);
}

async function profileInProcess(workload: Workload, files: string): Promise<SideProfile[]> {
  await using resources = new AsyncDisposableStack();
  const { env } = await prepare(resources, ["bench", "caller"]);
  const peer = resources.use(startPeer("weft-in-process", { env }));
  await peer.ask({ kind: "load", ...workload, durationMs: warmUpMs });
  return [await profileAlone(peer, workload, files)];
}
