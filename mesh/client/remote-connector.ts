import { Code, type ConnectError } from "@connectrpc/connect";
import { type ChannelCredentials, Metadata } from "@grpc/grpc-js";
import type { Clock, Random } from "../contract/clock.ts";
import { notRunReason, rpcError } from "../contract/errors.ts";
import { openTunnel } from "../tunnel/client-session.ts";
import type { ClientTunnel, ClientTunnelListener } from "../tunnel/client-tunnel.ts";
import { clientStream, tunnelPath } from "../tunnel/grpc-stream.ts";
import { requestBytesMax } from "../tunnel/limits.ts";
import { type Attempt, asConnectError } from "./attempt.ts";
import type { EdgeSettings } from "./edge-settings.ts";
import type { Connector } from "./endpoint.ts";
import { isOneInstance, openGrpcClient } from "./grpc-client.ts";
import { createGrpcConnector } from "./grpc-connector.ts";
import { createTunnelHistory } from "./tunnel-history.ts";
import { createTunnels } from "./tunnels.ts";

/** How long a method whose answers come in parts takes gRPC calls of its own. */
const largeAnswersMs = 60_000;

export interface RemoteConnectorOptions {
  readonly address: string;
  /** The called service's name: what the server's certificate must prove. */
  readonly service: string;
  readonly credentials: ChannelCredentials;
  readonly edge: EdgeSettings;
  /** Told when the instance wants no new calls, and when that is over. */
  readonly onDraining: (draining: boolean) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The ways to an instance in another process: tunnels for small unary calls, plain gRPC for all else and where the edge's settings say so. An
 * address that is a name may stand for several instances, which a tunnel would not tell apart: plain gRPC takes turns among them.
 */
export function createRemoteConnector(options: RemoteConnectorOptions): Connector {
  const { address, service, credentials, edge, clock, random } = options;
  const plain = createGrpcConnector(address, service, credentials, clock);
  const oneInstance = isOneInstance(address);

  const fits = (attempt: Attempt): boolean =>
    attempt.message.length <= requestBytesMax &&
    attempt.startedAtMs - attempt.call.called.largeAnswerAtMs >= largeAnswersMs;
  const otherwise = (attempt: Attempt): void => {
    if (edge.transport !== "tunnel") plain.unary(attempt);
    else attempt.failed(noTunnel(service, address));
  };
  const open = (listener: ClientTunnelListener): ClientTunnel => {
    const client = openGrpcClient(address, service, credentials);
    const call = client.makeBidiStreamRequest(tunnelPath, asIs, asIs, new Metadata());
    return openTunnel(
      clientStream(call),
      {
        opened: () => listener.opened(),
        draining: () => listener.draining(),
        closed(error) {
          listener.closed(error);
          client.close();
        },
      },
      { clock },
    );
  };
  const tunnels = createTunnels({
    open,
    otherwise,
    onDraining: options.onDraining,
    history: createTunnelHistory(random),
    clock,
  });

  const send = (attempt: Attempt): void => {
    const { transport } = edge;
    if (transport === "grpc") tunnels.retire();
    if (transport === "grpc" || !(oneInstance || transport === "tunnel") || !fits(attempt)) plain.unary(attempt);
    else if (!tunnels.send(attempt)) otherwise(attempt);
  };
  return {
    unary(attempt) {
      try {
        send(attempt);
      } catch (error) {
        attempt.failed(asConnectError(error));
      }
    },
    stream: plain.stream,
    isWell: plain.isWell,
    close() {
      tunnels.close();
      plain.close();
    },
  };
}

function asIs(frame: Buffer): Buffer {
  return frame;
}

function noTunnel(service: string, address: string): ConnectError {
  return rpcError(
    Code.Unavailable,
    `no tunnel to ${service} at ${address} takes the call, and it may go no other way`,
    {
      reason: notRunReason,
      domain: "weft",
    },
  );
}
