import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatTable } from "../../cli/output.ts";
import { type CallFrame, type CpuProfile, functionOf, partOf, type SelfTimes, selfTimes } from "../cpu-profile.ts";
import { measureSlice, type Pair } from "../pair.ts";
import type { Workload } from "../peer-process.ts";

/** Where the CPU time of one side of a call goes. */
export interface SideProfile {
  readonly side: "client" | "server";
  /** As the system counts it while nothing is profiled: the profile only says how it is shared out. */
  readonly cpuUsPerCall: number;
  /** Microseconds of a call, by package, by file of the mesh, the greatest first. */
  readonly parts: SelfTimes;
  readonly functions: SelfTimes;
}

/** Measures a workload for a while, and again with both processes profiled; the profiles stay in the folder. */
export async function profilePair(pair: Pair, workload: Workload, files: string): Promise<SideProfile[]> {
  const slice = await measureSlice(pair, workload);
  for (const peer of [pair.client, pair.server]) await peer.ask({ kind: "profile" });
  await pair.client.ask({ kind: "load", ...workload });
  const sides = ["client", "server"] as const;
  const cpu = { client: slice.clientCpuUsPerCall, server: slice.serverCpuUsPerCall };
  for (const side of sides) await pair[side].ask({ kind: "profiled", file: fileOf(files, side) });
  return await Promise.all(
    sides.map(async (side) => {
      const profile = JSON.parse(await readFile(fileOf(files, side), "utf8")) as CpuProfile;
      return {
        ...{ side, cpuUsPerCall: cpu[side] },
        parts: shareOut(selfTimes(profile, partOrFileOf), cpu[side]),
        functions: shareOut(selfTimes(profile, functionOf), cpu[side]),
      };
    }),
  );
}

const fileOf = (files: string, side: string): string => join(files, `${side}.cpuprofile`);

/** The mesh by file: its files are the stages of a call. */
function partOrFileOf(frame: CallFrame): string {
  const [, file] = /\/(mesh\/.*\.ts)$/.exec(frame.url) ?? [];
  if (file !== undefined && !file.startsWith("mesh/gen/")) return file;
  if (frame.url === "" && !frame.functionName.startsWith("(")) return `native: ${frame.functionName}`;
  return partOf(frame);
}

function shareOut(times: SelfTimes, cpuUsPerCall: number): SelfTimes {
  const sum = times.reduce((all, [, ms]) => all + ms, 0);
  return times.map(([name, ms]) => [name, (ms / sum) * cpuUsPerCall]);
}

/** Tables of a call's microseconds, for each side. */
export function formatProfile(sides: readonly SideProfile[], rowsMax = 40): string {
  return sides
    .map(({ side, cpuUsPerCall, parts, functions }) => {
      const table = (what: string, times: SelfTimes): string =>
        formatTable(
          [`${side}: us/call`, "%", what],
          times.slice(0, rowsMax).map(([name, us]) => [us.toFixed(2), ((us / cpuUsPerCall) * 100).toFixed(1), name]),
        );
      const title = `${side}: ${cpuUsPerCall.toFixed(1)} us of CPU time for a call (self time)`;
      return [title, table("package, file", parts), table("function", functions)].join("\n\n");
    })
    .join("\n\n\n");
}
