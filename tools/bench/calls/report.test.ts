import { expect, test } from "vitest";
import type { Slice } from "../pair.ts";
import type { PeerName } from "./peers.ts";
import { fullPlan, quickPlan } from "./plan.ts";
import { plot } from "./plot.ts";
import { formatRows, headline, summarize } from "./report.ts";
import type { MeasuredCell } from "./run.ts";

/** As if each peer were so many times as slow as the mesh, two rounds long, the second of half speed for all. */
const slownesses: Readonly<Record<PeerName, number>> = {
  ...{ weft: 1, "weft-twin": 1.1, "weft-grpc": 8, "grpc-js": 10, "connect-node": 30 },
  ...{ nestjs: 12, moleculer: 2, nginx: 20, tcp: 0.1 },
};

function sliceOf(slowness: number): Slice {
  const us = slowness * 10;
  const cpu = { cpuMs: us, clientCpuUsPerCall: us, serverCpuUsPerCall: us, cpuUsPerCall: us * 2 };
  return { calls: 1_000, callsPerSecond: 100_000 / slowness, p50Ms: slowness, p99Ms: slowness * 3, ...cpu };
}

function measured(cell: (typeof fullPlan.cells)[number]): MeasuredCell {
  const roundOf = (factor: number) =>
    Object.fromEntries(cell.peers.map((peer) => [peer, sliceOf(slownesses[peer] * factor)])) as Record<PeerName, Slice>;
  return { ...cell, rounds: [roundOf(1), roundOf(2)] };
}

const headlines = {
  echo64_vs_grpcjs: 10,
  echo64_vs_moleculer: 2,
  echo1_p50_vs_grpcjs: 0.1,
  order64_vs_grpcjs: 10,
  p99_64_vs_grpcjs: 0.1,
  plain64_vs_grpcjs: 1.25,
  payload16k_vs_grpcjs: 10,
  payload256k_vs_grpcjs: 10,
};

test.each([
  ["quick", quickPlan],
  ["full", fullPlan],
])("the %s plan measures all that the headline says, ours by theirs", (_, plan) => {
  expect(headline(plan.cells.map((cell) => summarize(measured(cell))))).toEqual(headlines);
});

test("what was not measured is not in the headline", () => {
  const cells = quickPlan.cells.filter(({ workload }) => workload !== "256k");
  const rows = cells.map((cell) => summarize(measured({ ...cell, peers: ["weft", "weft-twin", "grpc-js"] })));
  expect(Object.keys(headline(rows))).toEqual([
    ...["echo64_vs_grpcjs", "echo1_p50_vs_grpcjs", "order64_vs_grpcjs", "p99_64_vs_grpcjs", "payload16k_vs_grpcjs"],
  ]);
});

test("a peer that differs less than the mesh does from itself is within the noise", () => {
  const slow = { ...slownesses, nestjs: 1.05 };
  const [cell] = fullPlan.cells;
  if (!cell) throw new Error("an empty plan");
  const roundOf = (noise: number) =>
    Object.fromEntries(cell.peers.map((peer) => [peer, sliceOf(peer === "weft-twin" ? noise : slow[peer])])) as Record<
      PeerName,
      Slice
    >;
  const table = formatRows([summarize({ ...cell, rounds: [roundOf(0.9), roundOf(1.1)] })]);
  expect(table).toMatch(/NestJS gRPC .*within noise \(0\.90 to 1\.10\)/);
  expect(table).toMatch(/grpc-js .* 10\.00 \(10\.00 to 10\.00\)/);
});

test("the plot draws each peer once for throughput and once for p99, the twin left out", () => {
  const svg = plot(
    fullPlan.cells.map((cell) => summarize(measured(cell))),
    "echo",
    "1 < 2 & 3",
  );
  expect(svg.match(/<polyline/g)).toHaveLength(2 * 8);
  expect(svg).toContain(">Moleculer TCP<");
  expect(svg).toContain("1 &lt; 2 &amp; 3");
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});
