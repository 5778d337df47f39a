import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatTable } from "../../cli/output.ts";
import { type CpuProfile, partOf, type SelfTimes, selfTimes } from "../cpu-profile.ts";

/** Where a process spent its time, the greatest part first. */
export interface ProcessProfile {
  readonly process: string;
  readonly busyMs: number;
  readonly parts: SelfTimes;
}

/** Reads the profiles in a folder, from a moment of the system's monotonic clock on. */
export async function readProfiles(directory: string, fromUs: number): Promise<ProcessProfile[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".cpuprofile"));
  const profiles = await Promise.all(
    files.map(async (file) =>
      summarizeProfile(JSON.parse(await readFile(join(directory, file), "utf8")) as CpuProfile, fromUs),
    ),
  );
  return profiles.sort((a, b) => b.busyMs - a.busyMs);
}

/** Adds up self time: of a package, of a folder of the mesh, of a service, of Node, of the collector of garbage. */
export function summarizeProfile(profile: CpuProfile, fromUs: number): ProcessProfile {
  const parts = selfTimes(profile, partOf, fromUs);
  const main = profile.nodes.find(({ callFrame: { url } }) => /\/services\/[a-z]+\/main\.ts$/.test(url));
  return {
    process: /\/services\/([a-z]+)\//.exec(main?.callFrame.url ?? "")?.[1] ?? "?",
    busyMs: parts.reduce((sum, [, ms]) => sum + ms, 0),
    parts,
  };
}

/** CPU of each process for an order, and its greatest parts. */
export function formatProfiles(profiles: readonly ProcessProfile[], orders: number, partsMax = 8): string {
  const lines = profiles.map(({ process, busyMs, parts }) => [
    process,
    (busyMs / orders).toFixed(2),
    parts
      .slice(0, partsMax)
      .map(([part, ms]) => `${part} ${(ms / orders).toFixed(2)}`)
      .join(", "),
  ]);
  return formatTable(["process", "ms/order", "of which"], lines);
}
