import { connect, type SecureClientSessionOptions } from "node:http2";
import {
  ChannelCredentials,
  Client,
  type ClientDuplexStream,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  type StatusObject,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { serverStream, tunnelPath } from "./grpc-stream.ts";
import { serveTunnel } from "./server-session.ts";
import type { ServerTunnel } from "./server-tunnel.ts";
import { TestServed } from "./testing-ends.ts";

/** A server on a real socket that serves tunnels; and nothing of the mesh. */
export interface GrpcTunnels extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
  /** Those that are open. */
  readonly tunnels: ReadonlySet<ServerTunnel>;
  /** Calls that have been started. */
  readonly started: number;
}

/** Starts it. @param onCall runs a call; by default it says back what came */
export async function serveGrpcTunnels(
  onCall: (call: TestServed, tunnel: ServerTunnel) => void = (call, tunnel) =>
    tunnel.answer(call, call.received.message),
  others: { readonly definition?: ServiceDefinition; readonly handlers?: UntypedServiceImplementation } = {},
): Promise<GrpcTunnels> {
  const server = new Server();
  const tunnels = new Set<ServerTunnel>();
  let started = 0;
  const open = (call: ServerDuplexStream<Buffer, Buffer>): void => {
    const tunnel: ServerTunnel = serveTunnel<string>(serverStream(call), {
      resolve: (path) => (path.startsWith("test.") ? path : undefined),
      accept: (path, received) =>
        new TestServed(path, received, (served) => {
          started += 1;
          onCall(served, tunnel);
        }),
      closed: () => void tunnels.delete(tunnel),
    });
    tunnels.add(tunnel);
  };
  server.addService({ Open: bytesMethod(tunnelPath, true), ...others.definition }, { Open: open, ...others.handlers });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    server,
    tunnels,
    get started() {
      return started;
    },
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** A method whose messages are bytes. */
export function bytesMethod(path: string, streams: boolean): ServiceDefinition[string] {
  return {
    path,
    requestStream: streams,
    responseStream: streams,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

export function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** A client that sends whatever it likes. */
export interface RawClient extends Disposable {
  readonly client: Client;
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly status: Promise<StatusObject>;
}

/** Opens the stream of a tunnel; what comes on it is read unless it is paused. */
export function openRaw(address: string): RawClient {
  const client = new Client(address, ChannelCredentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const call = client.makeBidiStreamRequest(tunnelPath, asIs, asIs, new Metadata());
  const status = new Promise<StatusObject>((resolve) => call.on("status", resolve));
  call.on("error", () => undefined);
  return {
    client,
    call,
    status,
    [Symbol.dispose]: () => {
      call.cancel();
      client.close();
    },
  };
}

/** A client that reads nothing of what it is answered; grpc-js would. */
export interface UnreadClient extends Disposable {
  write(frame: Buffer): void;
  /** Bytes that could not leave. */
  waitingBytes(): number;
}

/** Opens the stream of a tunnel by HTTP/2 alone. @param url "http://127.0.0.1:7140" */
export function openUnread(url: string, options: SecureClientSessionOptions = {}): UnreadClient {
  const session = connect(url, options);
  session.on("error", () => undefined);
  const headers = { ":method": "POST", ":path": tunnelPath, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers, { endStream: false });
  stream.on("error", () => undefined);
  stream.pause();
  return {
    write(frame) {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(frame.length, 1);
      stream.write(Buffer.concat([prefix, frame]));
    },
    waitingBytes: () => stream.writableLength,
    [Symbol.dispose]: () => session.destroy(),
  };
}
