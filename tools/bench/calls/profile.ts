import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatTable } from "../../cli/output.ts";
import { type CallFrame, type CpuProfile, functionOf, partOf, type SelfTimes, selfTimes } from "../cpu-profile.ts";
import { measureSlice, type Pair } from "../pair.ts";
import type { PeerProcess, Workload } from "../peer-process.ts";
import { stageOf } from "./stage-costs.ts";

/** Where the CPU time of one side of a call goes. */
export interface SideProfile {
  readonly side: "client" | "server" | "both sides";
  /** As the system counts it while nothing is profiled: the profile only says how it is shared out. */
  readonly cpuUsPerCall: number;
  /** Microseconds of a call, the greatest first. */
  readonly stages: SelfTimes;
  /** By package, by file of the mesh. */
  readonly parts: SelfTimes;
  readonly functions: SelfTimes;
}

/** Measures a workload for a while, and again with both processes profiled; the profiles stay in the folder. */
export async function profilePair(pair: Pair, workload: Workload, files: string): Promise<SideProfile[]> {
  const { clientCpuUsPerCall, serverCpuUsPerCall } = await measureSlice(pair, workload);
  const sides = ["client", "server"] as const;
  for (const side of sides) await pair[side].ask({ kind: "profile" });
  await pair.client.ask({ kind: "load", ...workload });
  for (const side of sides) await pair[side].ask({ kind: "profiled", file: fileOf(files, side) });
  return [
    await readProfile(files, "client", clientCpuUsPerCall),
    await readProfile(files, "server", serverCpuUsPerCall),
  ];
}

/** The same for a client that is its own server. */
export async function profileAlone(client: PeerProcess, workload: Workload, files: string): Promise<SideProfile> {
  const answer = await client.ask({ kind: "load", ...workload });
  if (!("calls" in answer)) throw new Error("a client measured nothing");
  await client.ask({ kind: "profile" });
  await client.ask({ kind: "load", ...workload });
  await client.ask({ kind: "profiled", file: fileOf(files, "both sides") });
  return await readProfile(files, "both sides", (answer.cpuMs * 1000) / answer.calls);
}

async function readProfile(files: string, side: SideProfile["side"], cpuUsPerCall: number): Promise<SideProfile> {
  const profile = JSON.parse(await readFile(fileOf(files, side), "utf8")) as CpuProfile;
  return {
    ...{ side, cpuUsPerCall },
    stages: shareOut(selfTimes(profile, stageOf), cpuUsPerCall),
    parts: shareOut(selfTimes(profile, partOrFileOf), cpuUsPerCall),
    functions: shareOut(selfTimes(profile, functionOf), cpuUsPerCall),
  };
}

const fileOf = (files: string, side: SideProfile["side"]): string =>
  join(files, `${side.replace(" ", "-")}.cpuprofile`);

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
    .map(({ side, cpuUsPerCall, stages, parts, functions }) => {
      const table = (what: string, times: SelfTimes): string =>
        formatTable(
          [`${side}: us/call`, "%", what],
          times.slice(0, rowsMax).map(([name, us]) => [us.toFixed(2), ((us / cpuUsPerCall) * 100).toFixed(1), name]),
        );
      const title = `${side}: ${cpuUsPerCall.toFixed(1)} us of CPU time for a call (self time)`;
      return [title, table("stage", stages), table("package, file", parts), table("function", functions)].join("\n\n");
    })
    .join("\n\n\n");
}

/** What the stages of a call cost, both sides beside each other. */
export function formatCosts(sides: readonly SideProfile[]): string {
  const names = [...new Set(sides.flatMap(({ stages }) => stages.map(([stage]) => stage)))];
  const cost = ({ stages }: SideProfile, name: string): number => stages.find(([stage]) => stage === name)?.[1] ?? 0;
  const sum = (name: string): number => sides.reduce((all, side) => all + cost(side, name), 0);
  const line = (name: string): string[] => [name, ...sides.map((side) => cost(side, name).toFixed(2))];
  const lines = names.sort((a, b) => sum(b) - sum(a)).map(line);
  const sums = ["all", ...sides.map(({ cpuUsPerCall }) => cpuUsPerCall.toFixed(2))];
  return formatTable(["us of cpu a call", ...sides.map(({ side }) => side)], [...lines, sums]);
}
