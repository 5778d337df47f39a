import { Code, type ConnectError } from "@connectrpc/connect";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { Meter } from "@opentelemetry/api";
import { notRunReason, rpcError } from "../contract/errors.ts";
import { serverStream } from "../tunnel/grpc-stream.ts";
import { serveTunnel } from "../tunnel/server-session.ts";
import type { ReceivedCall, ServerTunnel, TunnelHandler } from "../tunnel/server-tunnel.ts";
import type { TunnelStream } from "../tunnel/tunnel-stream.ts";
import { toServiceError } from "./grpc-calls.ts";
import type { UnaryCall } from "./incoming-call.ts";
import type { PeerOf } from "./peer.ts";
import { type ServerPipeline, unknownPeer } from "./pipeline.ts";
import type { Route } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";
import { type TunnelLink, TunnelUnaryCall } from "./tunnel-calls.ts";

/** Most tunnels of one server; further ones are refused, and their clients call over plain gRPC. */
const tunnelsMax = 4_096;
/**
 * How long a tunnel takes new calls, if its client does not replace it before: well below the age at which its connection is cut
 * (10 minutes, less a tenth).
 */
const tunnelAgeMaxMs = 8 * 60_000;

export interface TunnelServerOptions {
  readonly routes: ReadonlyMap<string, Route>;
  readonly pipeline: ServerPipeline;
  readonly peerOf: PeerOf;
  readonly meter: Meter;
}

/** The tunnels of one server. */
export interface TunnelServer {
  /** Takes a call of weft.tunnel.v1.TunnelService/Open, as grpc-js hands it over. */
  open(call: ServerDuplexStream<Buffer, Buffer>): void;
  /** Asks all clients for no more calls, and takes no more tunnels. Calls in hand go on. */
  drain(): void;
}

/** Creates the server's end of tunnels: their calls go through the same pipeline as all others, each on its own. */
export function createTunnelServer({ routes, pipeline, peerOf, meter }: TunnelServerOptions): TunnelServer {
  const served = new Map<string, ServedRoute>();
  for (const [path, route] of routes) if (route.spec.kind === "unary") served.set(path, pipeline.prepare(route));
  const tunnels = new Set<ServerTunnel>();
  let draining = false;
  meter
    .createObservableUpDownCounter("weft.server.tunnels", { description: "Tunnels that clients keep open" })
    .addCallback((result) => result.observe(tunnels.size));

  const refusal = (peer: string | undefined): ConnectError | undefined => {
    if (peer === undefined) return unknownPeer();
    if (draining)
      return rpcError(Code.Unavailable, "the server is going away", { reason: notRunReason, domain: "weft" });
    if (tunnels.size < tunnelsMax) return undefined;
    return rpcError(Code.ResourceExhausted, `${tunnelsMax} tunnels are open, which is the limit`);
  };
  return {
    open(call) {
      const peer = peerOf(call);
      const error = refusal(peer);
      if (error !== undefined || peer === undefined) {
        call.emit("error", toServiceError(error));
        return;
      }
      const link = new Link(peer, served, pipeline, serverStream(call));
      tunnels.add(link.tunnel);
      const timer = setTimeout(() => link.tunnel.drain(), tunnelAgeMaxMs).unref();
      link.onClosed = () => {
        clearTimeout(timer);
        tunnels.delete(link.tunnel);
      };
    },
    drain() {
      draining = true;
      for (const tunnel of tunnels) tunnel.drain();
    },
  };
}

/** One tunnel: takes its calls, and runs them. */
class Link implements TunnelHandler<ServedRoute>, TunnelLink {
  readonly peer: string;
  readonly tunnel: ServerTunnel;
  onClosed: (() => void) | undefined;
  readonly #served: ReadonlyMap<string, ServedRoute>;
  readonly #pipeline: ServerPipeline;
  /** One reading of each clock for all calls of a frame. */
  #frameAtMs = Number.NaN;
  #arrivedMs = 0;

  constructor(peer: string, served: ReadonlyMap<string, ServedRoute>, pipeline: ServerPipeline, stream: TunnelStream) {
    this.peer = peer;
    this.#served = served;
    this.#pipeline = pipeline;
    this.tunnel = serveTunnel(stream, this, { clock: pipeline.clock });
  }
  resolve(path: string): ServedRoute | undefined {
    return this.#served.get(path);
  }
  accept(route: ServedRoute, received: ReceivedCall): TunnelUnaryCall {
    if (received.receivedAtMs !== this.#frameAtMs) {
      this.#frameAtMs = received.receivedAtMs;
      this.#arrivedMs = this.#pipeline.clock.now();
    }
    return new TunnelUnaryCall(route, received, this.#arrivedMs, this);
  }
  run(call: UnaryCall): void {
    this.#pipeline.unary(call);
  }
  closed(): void {
    this.onClosed?.();
  }
}
