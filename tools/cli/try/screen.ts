import { formatTable } from "../output.ts";
import { withThousands } from "../progress-line.ts";
import type { Replica } from "./replicas.ts";
import { p99 } from "./scenarios.ts";
import type { TrackedCall, Traffic } from "./traffic.ts";

/** What there is to see at a moment. */
export interface View {
  readonly replicas: readonly Pick<Replica, "name" | "state">[];
  /** Place of the replica that the keys are for. */
  readonly chosen: number;
  readonly way: string;
  readonly traffic: Pick<Traffic, "calls" | "totals" | "inFlight">;
  /** What the mesh said of late. */
  readonly news: readonly string[];
  readonly nowMs: number;
}

const windowMs = 1_000;
const newsMax = 6;

/** The screen, line by line. */
export function formatScreen({ replicas, chosen, way, traffic, news, nowMs }: View): string[] {
  const latest = endedSince(traffic.calls, nowMs - windowMs);
  const rows = replicas.map(({ name, state }, place) => {
    const own = latest.filter(({ replica }) => replica === name);
    const share = latest.length === 0 ? 0 : own.length / latest.length;
    const mark = place === chosen ? ">" : " ";
    return [`${mark} ${place + 1}`, name, state, bar(share), String(own.length), milliseconds(own)];
  });
  const { calls, failedIdempotent, failedOnce } = traffic.totals;
  const failed = latest.filter(({ code }) => code !== undefined).length;
  return [
    `caller -> echo, ${replicas.length} replicas, transport: ${way}`,
    "",
    ...formatTable(["", "replica", "is", "share", "calls/s", "p99"], rows).split("\n"),
    "",
    `callers see   last second ${latest.length} calls, ${failed} failed, p99 ${milliseconds(latest)}, ${traffic.inFlight} in flight`,
    `since start   ${withThousands(calls)} calls; failed: ${failedIdempotent} that may run twice, ${failedOnce} that may not`,
    "",
    ...news.slice(-newsMax),
  ];
}

/** One line of the same, where nothing can be written anew. */
export function formatLine({ replicas, way, traffic, nowMs }: View): string {
  const latest = endedSince(traffic.calls, nowMs - windowMs);
  const each = replicas.map(({ name, state }) => {
    const own = latest.filter(({ replica }) => replica === name).length;
    return `${name} ${state} ${own}`;
  });
  const { failedIdempotent, failedOnce } = traffic.totals;
  return `${way}: ${latest.length} calls/s (${each.join(", ")}), p99 ${milliseconds(latest)}, failed so far ${failedIdempotent} + ${failedOnce}`;
}

/** They are in the order of their ends. */
function endedSince(calls: readonly TrackedCall[], sinceMs: number): readonly TrackedCall[] {
  let from = calls.length;
  for (let call = calls[from - 1]; call && call.startedAtMs + call.tookMs >= sinceMs; call = calls[from - 1]) from -= 1;
  return calls.slice(from);
}

function milliseconds(calls: readonly TrackedCall[]): string {
  return calls.length === 0 ? "-" : `${p99(calls).toFixed(1)} ms`;
}

function bar(share: number): string {
  const length = 20;
  return `${"#".repeat(Math.round(share * length)).padEnd(length)} ${String(Math.round(share * 100)).padStart(3)}%`;
}
