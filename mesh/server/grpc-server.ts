import type { Readable } from "node:stream";
import { setImmediate, setTimeout as wait } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import {
  Metadata,
  Server,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import type { CancelSource } from "../context/cancel-source.ts";
import { ownBytes } from "../contract/encode-scratch.ts";
import { rpcError } from "../contract/errors.ts";
import { tunnelPath } from "../tunnel/grpc-stream.ts";
import { GrpcStreamCall, GrpcUnaryCall, metadataOf, toServiceError } from "./grpc-calls.ts";
import { CallHandlerContext } from "./handler-context.ts";
import { http2StreamOf } from "./http2-stream.ts";
import type { Input } from "./incoming-call.ts";
import { invokeStream } from "./invoke.ts";
import { decodeRequest, encodeAnswer, messageBytesMax } from "./message-codec.ts";
import type { PeerOf } from "./peer.ts";
import type { ServerPipeline } from "./pipeline.ts";
import { type Route, servicesOf } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";
import type { TunnelServer } from "./tunnel-server.ts";

/** How much later than the end of a caller's messages their reset may be read. Both leave him at once. */
const resetDelayMs = 5;

/** Bounds of one server. */
const serverOptions: ServerOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  "grpc.max_concurrent_streams": 1_000,
  // A connection keeps the identity that it was opened with, so its age is bounded.
  "grpc.max_connection_age_ms": 10 * 60_000,
  "grpc.max_connection_age_grace_ms": 30_000,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
};

export interface GrpcServerOptions {
  readonly routes: ReadonlyMap<string, Route>;
  readonly pipeline: ServerPipeline;
  /** Tells who calls; whoever is nobody is refused. Left out on a plaintext port, where nobody can tell. */
  readonly peerOf?: PeerOf;
  /** Takes tunnels beside the routes. */
  readonly tunnels?: TunnelServer;
}

/** Mounts routes on grpc-js. Messages are decoded inside the pipeline, so that a broken one is the caller's fault. */
export function createGrpcServer(options: GrpcServerOptions): Server {
  const server = new Server(serverOptions);
  const routes = [...options.routes.values()];
  for (const service of servicesOf(options.routes)) {
    const own = routes.filter((route) => route.method.parent === service);
    const definition = Object.fromEntries(own.map((route) => [route.method.name, methodDefinition(route)]));
    const handlers = Object.fromEntries(
      own.map((route) => [route.method.name, handlerOf(options.pipeline.prepare(route), options)]),
    );
    server.addService(definition, handlers);
  }
  const { tunnels } = options;
  if (tunnels !== undefined) {
    const open: UntypedHandleCall = (call: ServerDuplexStream<Buffer, Buffer>) => tunnels.open(call);
    server.addService({ Open: rawMethod(tunnelPath, true) }, { Open: open });
  }
  return server;
}

function methodDefinition(route: Route): ServiceDefinition[string] {
  // Every streaming kind is bidirectional on the wire, and one way of handling it serves all three.
  return rawMethod(`/${route.policy.path}`, route.spec.kind !== "unary");
}

/** A method whose messages are left as they are. */
function rawMethod(path: string, streaming: boolean): ServiceDefinition[string] {
  const asIs = (buffer: Buffer): Buffer => buffer;
  return {
    path,
    requestStream: streaming,
    responseStream: streaming,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

function handlerOf(served: ServedRoute, { pipeline, peerOf }: GrpcServerOptions): UntypedHandleCall {
  if (served.spec.kind === "unary") {
    return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
      pipeline.unary(new GrpcUnaryCall(served, pipeline.clock, call, peerOf, callback));
  }
  return (call: ServerDuplexStream<Buffer, Buffer>) =>
    answerStream(new GrpcStreamCall(served, pipeline.clock, call, peerOf), call, pipeline);
}

function answerStream(
  incoming: GrpcStreamCall,
  call: ServerDuplexStream<Buffer, Buffer>,
  pipeline: ServerPipeline,
): void {
  const { served } = incoming;
  let header: Metadata | undefined;
  const own = new CallHandlerContext(served.method, incoming);
  const outputs = pipeline.stream(incoming, readInputs(served, call), (inputs) =>
    invokeStream(served.spec, inputs, own, (output) => {
      header ??= metadataOf(own.sentHeader);
      return ownBytes(encodeAnswer(served, output));
    }),
  );
  const write = async (): Promise<void> => {
    await writeOutputs(call, outputs, () => header, incoming.cancellation);
    incoming.unlink();
    call.end(metadataOf(own.sentTrailer));
  };
  write().catch((error: unknown) => {
    call.emit("error", toServiceError(error));
  });
}

async function writeOutputs(
  call: ServerDuplexStream<Buffer, Buffer>,
  outputs: AsyncIterable<Buffer>,
  header: () => Metadata | undefined,
  cancellation: CancelSource,
): Promise<void> {
  let resume: (() => void) | undefined;
  // A reader that reads no more must not hold up the end of a call whose time is over.
  cancellation.onCancel(() => resume?.());
  let headerSent = false;
  const sendHeader = (): void => {
    if (!headerSent) call.sendMetadata(header() ?? new Metadata());
    headerSent = true;
  };
  for await (const output of outputs) {
    sendHeader();
    if (call.write(output)) continue;
    await new Promise<void>((resolve) => {
      resume = resolve;
      call.once("drain", resolve);
      if (cancellation.reason) resolve();
    });
  }
  sendHeader();
}

async function* readInputs(route: ServedRoute, call: ServerDuplexStream<Buffer, Buffer>): AsyncIterable<Input> {
  // Iterating a duplex destroys it when its input ends, before the answers have left.
  const readable: Readable = call;
  for await (const buffer of readable.iterator({ destroyOnReturn: false })) yield decodeRequest(route, buffer);
  if (route.spec.kind === "server_streaming") return;
  // Node's HTTP/2 client ends the messages of a call before it resets it, so that one which is cancelled half-way looks
  // like one that is done until the reset is read. A handler would take the half for the whole, and act on it.
  await wait(resetDelayMs);
  await setImmediate();
  if (http2StreamOf(call)?.rstCode) throw rpcError(Code.Canceled, "the caller cancelled the call");
}
