import { setTimeout as wait } from "node:timers/promises";
import { waitUntil } from "../../dev/processes/wait.ts";
import type { Replica } from "./replicas.ts";
import { startTraffic, type TrackedCall, type Traffic } from "./traffic.ts";
import { startTryWorld } from "./world.ts";

export const faults = ["frozen", "killed", "slowed", "restarted"] as const;
export type Fault = (typeof faults)[number];

/** What callers saw of one fault at one replica. */
export interface FaultReport {
  readonly fault: Fault;
  readonly way: string;
  readonly calls: number;
  /** Of methods that may run twice. */
  readonly failedIdempotent: number;
  /** Of methods that may not. */
  readonly failedOnce: number;
  /** Of both, begun two seconds or more after the fault. */
  readonly failedLate: number;
  readonly p99BeforeMs: number;
  readonly p99Ms: number;
  /** Begun two seconds or more after the fault. */
  readonly p99LateMs: number;
}

export interface FaultOptions {
  readonly fault: Fault;
  readonly way: string;
  readonly replicas: readonly Replica[];
  /** Which of them goes wrong; counted on beyond the last. */
  readonly place: number;
  readonly traffic: Traffic;
  readonly beforeMs?: number;
  readonly forMs?: number;
}

const lateMs = 2_000;

/** Every fault on both ways, each at another replica than the one before. */
export async function runFaults(count: number, callsPerSecond: number): Promise<FaultReport[]> {
  const reports: FaultReport[] = [];
  await using world = await startTryWorld({ replicas: count });
  for (const way of ["tunnel", "grpc"] as const) {
    world.mesh.edge("echo").transport = way;
    await using traffic = startTraffic({ transport: world.mesh.transport("echo"), callsPerSecond });
    for (const [place, fault] of faults.entries()) {
      reports.push(await runFault({ fault, way, replicas: world.replicas, place, traffic }));
    }
  }
  return reports;
}

/** Lets one replica go wrong under load, and mends it. */
export async function runFault(options: FaultOptions): Promise<FaultReport> {
  const { fault, way, replicas, place, traffic, beforeMs = 1_000, forMs = 5_000 } = options;
  const replica = replicas[place % replicas.length];
  if (replica === undefined) throw new Error("there is no replica");
  await untilAllTakeTheirShare(replicas, traffic);
  const beganAtMs = performance.now();
  await wait(beforeMs);
  const faultAtMs = performance.now();
  const restarted = inflict(fault, replica);
  await wait(forMs);
  const untilMs = performance.now();
  // Those that wait for a frozen replica end when their time does, or when it goes on.
  await traffic.settled();
  await restarted;
  await replica.mend();

  const begunIn = (fromMs: number, toMs: number): TrackedCall[] =>
    traffic.calls.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs);
  const before = begunIn(beganAtMs, faultAtMs);
  const calls = begunIn(faultAtMs, untilMs);
  const late = begunIn(faultAtMs + lateMs, untilMs);
  const failed = (of: TrackedCall[]): TrackedCall[] => of.filter(({ code }) => code !== undefined);
  return {
    fault,
    way,
    calls: calls.length,
    failedIdempotent: failed(calls).filter(({ idempotent }) => idempotent).length,
    failedOnce: failed(calls).filter(({ idempotent }) => !idempotent).length,
    failedLate: failed(late).length,
    p99BeforeMs: p99(before),
    p99Ms: p99(calls),
    p99LateMs: p99(late),
  };
}

/** One that was mended a moment ago is still spared: then a fault would hurt nobody, or be the second one at a time. */
async function untilAllTakeTheirShare(replicas: readonly Replica[], traffic: Traffic): Promise<void> {
  const share = 100 / replicas.length;
  const takeIt = async (): Promise<boolean> => {
    const latest = traffic.calls.slice(-100);
    return replicas.every(({ name }) => latest.filter((call) => call.replica === name).length > share / 2);
  };
  await waitUntil(takeIt, { what: "each replica takes its share of the calls", timeoutMs: 40_000 });
}

function inflict(fault: Fault, replica: Replica): Promise<void> {
  if (fault === "restarted") return replica.restart();
  if (fault === "killed") return replica.kill();
  if (fault === "frozen") replica.freeze();
  else replica.slow();
  return Promise.resolve();
}

/** Milliseconds that 99 of 100 calls stay below. */
export function p99(calls: readonly TrackedCall[]): number {
  const sorted = calls.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
