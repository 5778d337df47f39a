import { cpus, loadavg } from "node:os";
import { benchCalls } from "./calls/main.ts";
import { profileCalls } from "./calls/profile-calls.ts";
import { benchMemory } from "./micro/memory-main.ts";
import { benchOrders } from "./orders/main.ts";
import { benchReads } from "./reads-main.ts";
import type { BenchRun } from "./run.ts";

/** Above this many runnable processes before the start, the machine is at something else. */
const loadAverageMax = 1;
const parts = ["calls", "memory", "reads", "orders"] as const;

const { QUICK, PROFILE, ONLY, BEFORE, PEERS, WORKLOAD, IN_FLIGHT } = process.env;
const [loadAverage = 0] = loadavg();
const run: BenchRun = {
  quick: QUICK !== undefined && QUICK !== "" && QUICK !== "0",
  profileDirectory: PROFILE,
  startedAt: new Date(),
  machine: { node: process.version, cpus: cpus().length, loadAverage },
  unfit:
    loadAverage > loadAverageMax
      ? `the machine was busy before the start (load average ${loadAverage.toFixed(2)})`
      : undefined,
};

if (ONLY && !parts.some((part) => part === ONLY)) throw new Error(`ONLY=${ONLY} is none of ${parts.join(", ")}`);
// Quickly is calls only, unless another part is asked for.
const asked = (part: string): boolean => (ONLY ? ONLY === part : part === "calls" || !run.quick);
if (asked("calls")) {
  const what = { names: PEERS?.split(","), workload: WORKLOAD, inFlight: IN_FLIGHT ? Number(IN_FLIGHT) : undefined };
  await (PROFILE ? profileCalls({ directory: PROFILE, ...what }) : benchCalls(run));
}
if (asked("memory")) await benchMemory(run);
if (asked("reads")) await benchReads(run);
if (asked("orders")) await benchOrders({ ...run, before: BEFORE });
