import type { WorkloadName } from "../workloads.ts";

/** Who takes part: the mesh, a second instance of it that shows the noise, and what teams pick instead. */
export type PeerName =
  | "weft"
  | "weft-twin"
  | "weft-grpc"
  | "grpc-js"
  | "connect-node"
  | "nestjs"
  | "moleculer"
  | "nginx"
  | "tcp";

export interface Peer {
  /** As tables and plots call it. */
  readonly title: string;
  /** The programs in peers/ are <program>-server.ts and <program>-client.ts. */
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Calls go through two proxies with mutual TLS between them. */
  readonly sidecars?: boolean;
  readonly workloads?: readonly WorkloadName[];
}

export const peers: Readonly<Record<PeerName, Peer>> = {
  weft: { title: "weft", program: "weft" },
  "weft-twin": { title: "weft again", program: "weft" },
  "weft-grpc": { title: "weft, plain gRPC", program: "weft", env: { BENCH_TRANSPORT: "grpc" } },
  "grpc-js": { title: "grpc-js", program: "grpc-js" },
  "connect-node": { title: "connect-node gRPC", program: "connect-node" },
  nestjs: { title: "NestJS gRPC", program: "nestjs" },
  moleculer: { title: "Moleculer TCP", program: "moleculer" },
  nginx: { title: "grpc-js + 2 nginx, TLS", program: "grpc-js", sidecars: true },
  tcp: { title: "raw TCP", program: "tcp", workloads: ["echo"] },
};

/** Peers whose calls pass all stages of the mesh. */
export const weftPeers = ["weft", "weft-twin", "weft-grpc"] as const satisfies readonly PeerName[];
