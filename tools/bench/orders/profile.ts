import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatTable } from "../../cli/output.ts";

/** What V8 writes with --cpu-prof. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Microseconds of the system's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/** Where a process spent its time, the greatest part first. */
export interface ProcessProfile {
  readonly process: string;
  readonly busyMs: number;
  readonly parts: readonly (readonly [part: string, ms: number])[];
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
  const { nodes, samples, timeDeltas } = profile;
  const parts = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame.functionName, callFrame.url)]));
  const sums = new Map<string, number>();
  let atUs = profile.startTime;
  for (const [index, id] of samples.entries()) {
    const durationUs = timeDeltas[index] ?? 0;
    atUs += durationUs;
    if (atUs < fromUs) continue;
    const part = parts.get(id) ?? "?";
    sums.set(part, (sums.get(part) ?? 0) + durationUs / 1000);
  }
  sums.delete("idle");
  const main = nodes.find(({ callFrame: { url } }) => /\/services\/[a-z]+\/main\.ts$/.test(url));
  return {
    process: /\/services\/([a-z]+)\//.exec(main?.callFrame.url ?? "")?.[1] ?? "?",
    busyMs: [...sums.values()].reduce((sum, ms) => sum + ms, 0),
    parts: [...sums].sort(([, a], [, b]) => b - a),
  };
}

function partOf(functionName: string, url: string): string {
  if (functionName === "(idle)") return "idle";
  if (functionName === "(garbage collector)") return "garbage collection";
  // What V8 cannot see into: system calls, TLS, the parser.
  if (url === "") return "native code";
  if (url.startsWith("node:")) return "node";
  const [, dependency] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (dependency !== undefined) return dependency;
  const [, own] = /\/((?:mesh|services|gen)\/[^/]+)\/[^/]/.exec(url) ?? [];
  return own ?? "other";
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
