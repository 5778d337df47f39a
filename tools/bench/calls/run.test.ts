import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CallsPlan } from "./plan.ts";
import { formatCosts, formatProfile, profilePair } from "./profile.ts";
import { summarize } from "./report.ts";
import { measureCells, startPeers, warmUp } from "./run.ts";
import { countStages, missedStages } from "./stage-counts.ts";

const names = ["weft", "connect-node", "weft-twin", "tcp"] as const;
const plan: CallsPlan = {
  cells: [
    { workload: "echo", inFlight: 2, peers: names },
    { workload: "order", inFlight: 1, peers: ["weft", "connect-node", "weft-twin"] },
    { workload: "256k", inFlight: 1, peers: ["weft"] },
  ],
  ...{ sliceMs: 30, roundsMin: 2, roundsMax: 9, endByMs: 0 },
  warmUpMs: { echo: 50, order: 30, "16k": 30, "256k": 30 },
};

test("peers are measured side by side in processes of their own, and profiled", async () => {
  await using resources = new AsyncDisposableStack();
  const { pairs } = await startPeers(resources, names, { countStages: true });
  await warmUp(pairs, plan);
  const rows = (await measureCells(pairs, plan, () => performance.now())).map(summarize);
  expect(rows.map(({ peers }) => peers.map(({ peer }) => peer))).toEqual(plan.cells.map(({ peers }) => [...peers]));
  for (const { callsPerSecond, p50Ms, p99Ms } of rows.flatMap(({ peers }) => peers)) {
    expect(callsPerSecond).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
  }

  const stages = await countStages(pairs);
  expect(stages.filter(({ peer, side }) => peer === "weft" && side === "server").map(({ stage }) => stage)).toEqual(
    expect.arrayContaining(["mutual TLS", "authorization", "validation", "metrics"]),
  );
  expect(missedStages(stages)).toEqual([]);

  const files = await mkdtemp(join(tmpdir(), "weft-profile-"));
  resources.defer(() => rm(files, { recursive: true }));
  const [weft] = pairs.values();
  if (!weft) throw new Error("nothing was started");
  const sides = await profilePair(weft, { workload: "echo", inFlight: 8, durationMs: 200 }, files);
  expect(formatProfile(sides)).toMatch(/^[\d.]+ +[\d.]+ +mesh\/client\/\S+\.ts$/m);
  expect(formatCosts(sides)).toMatch(/^encode and decode messages +[\d.]+ +[\d.]+$/m);
  for (const { parts, cpuUsPerCall } of sides) {
    expect(parts.reduce((sum, [, us]) => sum + us, 0)).toBeCloseTo(cpuUsPerCall);
  }
}, 60_000);
