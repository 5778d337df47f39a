import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { measureSlice } from "../pair.ts";
import type { Workload } from "../peer-process.ts";
import { installPeers } from "./packages.ts";
import { type PeerName, peers } from "./peers.ts";
import { formatProfile, profilePair } from "./profile.ts";
import { startPeers } from "./run.ts";

const warmUpMs = 3_000;
const workload: Workload = { workload: "echo", inFlight: 64, durationMs: 4_000 };

/** Prints where the CPU time of one call goes, on both sides, and keeps the profiles. Robust on a busy machine: it counts no time of day. */
export async function profileCalls(
  directory: string,
  names: readonly string[] = ["weft", "weft-grpc", "grpc-js"],
): Promise<void> {
  await installPeers(console.log);
  for (const name of names) {
    if (!(name in peers)) throw new Error(`PEERS=${name} is none of ${Object.keys(peers).join(", ")}`);
    await using resources = new AsyncDisposableStack();
    const files = join(directory, name);
    await mkdir(files, { recursive: true });
    const { pairs } = await startPeers(resources, [name as PeerName], undefined);
    for (const pair of pairs.values()) {
      await measureSlice(pair, { ...workload, durationMs: warmUpMs });
      const sides = await profilePair(pair, workload, files);
      const sum = sides.reduce((all, { cpuUsPerCall }) => all + cpuUsPerCall, 0);
      console.log(
        `\n${name}, ${workload.workload}, ${workload.inFlight} in flight: ${sum.toFixed(1)} us of CPU a call`,
      );
      console.log(`\n${formatProfile(sides)}\n\nthe profiles are in ${files}`);
    }
  }
}
