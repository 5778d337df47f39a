import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { measureSlice, startPair } from "../pair.ts";
import type { Workload } from "../peer-process.ts";
import { prepare } from "../surroundings.ts";
import { formatProfile, profilePair } from "./profile.ts";

const warmUpMs = 3_000;
const workload: Workload = { workload: "echo", inFlight: 64, durationMs: 4_000 };

/** Prints where the CPU time of one call goes, on both sides, and keeps the profiles. Robust on a busy machine: it counts no time of day. */
export async function profileCalls(directory: string, peers: readonly string[]): Promise<void> {
  for (const name of peers) {
    await using resources = new AsyncDisposableStack();
    const { env } = await prepare(resources, ["echo", "bench"]);
    const files = join(directory, name);
    await mkdir(files, { recursive: true });
    const pair = await startPair(resources, { name, server: `${name}-server`, client: `${name}-client`, env });
    await measureSlice(pair, { ...workload, durationMs: warmUpMs });
    const sides = await profilePair(pair, workload, files);
    const sum = sides.reduce((all, { cpuUsPerCall }) => all + cpuUsPerCall, 0);
    console.log(
      `\n${name}, ${workload.workload}, ${workload.inFlight} in flight: ${sum.toFixed(1)} us of CPU for a call`,
    );
    console.log(`\n${formatProfile(sides)}\n\nthe profiles are in ${files}`);
  }
}
