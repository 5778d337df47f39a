import type { WorkloadName } from "../workloads.ts";
import { type PeerName, peers } from "./peers.ts";

/** What is measured side by side: peers take turns at it in each round. */
export interface Cell {
  readonly workload: WorkloadName;
  readonly inFlight: number;
  readonly peers: readonly PeerName[];
}

/** What to measure, how long and how often. */
export interface CallsPlan {
  readonly cells: readonly Cell[];
  readonly sliceMs: number;
  /** Rounds are measured until the time since the bench began is up, but so many at least and at most. */
  readonly roundsMin: number;
  readonly roundsMax: number;
  readonly endByMs: number;
  /** For each peer with each workload: tens of thousands of calls, or slices measure the compiler. */
  readonly warmUpMs: Readonly<Record<WorkloadName, number>>;
}

const everybody = Object.keys(peers) as PeerName[];
const both = ["weft", "grpc-js", "weft-twin"] as const;

/** Whole tables and the plot. */
export const fullPlan: CallsPlan = {
  cells: (["echo", "order", "16k", "256k"] as const).flatMap((workload) =>
    [1, 8, 64, 256].map((inFlight) => ({
      workload,
      inFlight,
      peers: everybody.filter((name) => peers[name].workloads?.includes(workload) ?? true),
    })),
  ),
  sliceMs: 250,
  roundsMin: 3,
  roundsMax: 9,
  endByMs: 400_000,
  warmUpMs: { echo: 2_500, order: 1_500, "16k": 1_000, "256k": 700 },
};

/** What the headline needs. */
export const quickPlan: CallsPlan = {
  cells: [
    { workload: "echo", inFlight: 64, peers: [...both, "weft-grpc", "moleculer", "tcp"] },
    { workload: "echo", inFlight: 1, peers: both },
    { workload: "order", inFlight: 64, peers: both },
    { workload: "16k", inFlight: 64, peers: both },
    { workload: "256k", inFlight: 64, peers: both },
  ],
  sliceMs: 250,
  roundsMin: 3,
  roundsMax: 7,
  endByMs: 37_000,
  warmUpMs: { echo: 1_500, order: 600, "16k": 400, "256k": 300 },
};
