import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { setImmediate, setTimeout as wait } from "node:timers/promises";
import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { baggageHeader } from "../context/baggage.ts";
import { deadlineExceeded } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { endUserHeader, parseEndUser } from "../context/end-user-header.ts";
import { rpcError } from "../contract/errors.ts";
import { encodeStatusDetails, statusDetailsKey, statusMessage } from "../contract/grpc-status.ts";
import { toHeaders, toMetadata } from "../contract/metadata.ts";
import { CallHandlerContext } from "./handler-context.ts";
import { http2StreamOf } from "./http2-stream.ts";
import { invokeStream, invokeUnary } from "./invoke.ts";
import { malformed } from "./malformed.ts";
import type { PeerOf } from "./peer.ts";
import type { IncomingCall, ServerPipeline } from "./pipeline.ts";
import { type Route, servicesOf } from "./routes.ts";

const messageBytesMax = 4 * 1024 * 1024;
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

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;
type Input = MessageShape<DescMessage>;

export interface GrpcServerOptions {
  readonly routes: ReadonlyMap<string, Route>;
  readonly pipeline: ServerPipeline;
  /** Tells who calls; whoever is nobody is refused. Left out on a plaintext port, where nobody can tell. */
  readonly peerOf?: PeerOf;
}

/** Mounts routes on grpc-js. Messages are decoded inside the pipeline, so that a broken one is the caller's fault. */
export function createGrpcServer(options: GrpcServerOptions): Server {
  const server = new Server(serverOptions);
  const routes = [...options.routes.values()];
  for (const service of servicesOf(options.routes)) {
    const own = routes.filter((route) => route.method.parent === service);
    const definition = Object.fromEntries(own.map((route) => [route.method.name, methodDefinition(route)]));
    const handlers = Object.fromEntries(
      own.map((route) => [
        route.method.name,
        route.spec.kind === "unary" ? unaryHandler(route, options) : streamHandler(route, options),
      ]),
    );
    server.addService(definition, handlers);
  }
  return server;
}

function methodDefinition(route: Route): ServiceDefinition[string] {
  // Every streaming kind is bidirectional on the wire, and one way of handling it serves all three.
  const streaming = route.spec.kind !== "unary";
  const asIs = (buffer: Buffer): Buffer => buffer;
  return {
    path: `/${route.policy.path}`,
    requestStream: streaming,
    responseStream: streaming,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

function unaryHandler(route: Route, options: GrpcServerOptions): handleUnaryCall<Buffer, Buffer> {
  const { pipeline } = options;
  return (call, callback) => {
    const incoming = incomingCall(route, call, options);
    const unlink = cancelOn(call, incoming);
    const answer = pipeline.unary(
      incoming,
      () => decode(route, call.request),
      // Encoded here: an answer that gRPC cannot carry is an error like any other.
      async (input, context) => {
        const own = new CallHandlerContext(route.method, incoming, context);
        const bytes = encode(route, await invokeUnary(route.spec, input, own));
        return { bytes, header: metadataOf(own.sentHeader), trailer: metadataOf(own.sentTrailer) };
      },
    );
    answer.then(
      ({ bytes, header, trailer }) => {
        unlink();
        if (header) call.sendMetadata(header);
        callback(null, bytes, trailer);
      },
      (error: unknown) => {
        unlink();
        callback(toServiceError(error));
      },
    );
  };
}

function streamHandler(route: Route, options: GrpcServerOptions): handleBidiStreamingCall<Buffer, Buffer> {
  const { pipeline } = options;
  return (call) => {
    const incoming = incomingCall(route, call, options);
    const unlink = cancelOn(call, incoming);
    let own: CallHandlerContext | undefined;
    let header: Metadata | undefined;
    const outputs = pipeline.stream(incoming, readInputs(route, call), (inputs, context) => {
      const handlerContext = new CallHandlerContext(route.method, incoming, context);
      own = handlerContext;
      return invokeStream(route.spec, inputs, handlerContext, (output) => {
        header ??= metadataOf(handlerContext.sentHeader);
        return encode(route, output);
      });
    });
    const write = async (): Promise<void> => {
      await writeOutputs(call, outputs, () => header, incoming.cancel);
      unlink();
      call.end(metadataOf(own?.sentTrailer));
    };
    write().catch((error: unknown) => {
      call.emit("error", toServiceError(error));
    });
  };
}

async function writeOutputs(
  call: ServerDuplexStream<Buffer, Buffer>,
  outputs: AsyncIterable<Buffer>,
  header: () => Metadata | undefined,
  cancel: CancelSource,
): Promise<void> {
  let resume: (() => void) | undefined;
  // A reader that reads no more must not hold up the end of a call whose time is over.
  cancel.onCancel(() => resume?.());
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
      if (cancel.reason) resolve();
    });
  }
  sendHeader();
}

async function* readInputs(route: Route, call: ServerDuplexStream<Buffer, Buffer>): AsyncIterable<Input> {
  // Iterating a duplex destroys it when its input ends, before the answers have left.
  const readable: Readable = call;
  for await (const buffer of readable.iterator({ destroyOnReturn: false })) yield decode(route, buffer);
  if (route.spec.kind === "server_streaming") return;
  // Node's HTTP/2 client ends the messages of a call before it resets it, so that one which is cancelled half-way looks
  // like one that is done until the reset is read. A handler would take the half for the whole, and act on it.
  await wait(resetDelayMs);
  await setImmediate();
  if (http2StreamOf(call)?.rstCode) throw rpcError(Code.Canceled, "the caller cancelled the call");
}

function incomingCall(route: Route, call: AnyCall, { peerOf }: GrpcServerOptions): IncomingCall {
  const deadline = call.getDeadline();
  const peer = peerOf?.(call);
  const header = (name: string): string | null => headerOf(call.metadata, name);
  let headers: Headers | undefined;
  return {
    method: route.method,
    policy: route.policy,
    header,
    get headers() {
      headers ??= toHeaders(call.metadata);
      return headers;
    },
    deadlineMs: typeof deadline === "number" ? deadline : deadline.getTime(),
    // Of a stream that its caller keeps open, grpc-js tells too late.
    endsAtDeadline: route.spec.kind === "unary",
    peer,
    needsPeer: peerOf !== undefined,
    endUser: peer === undefined ? undefined : parseEndUser(header(endUserHeader)),
    cancel: new CancelSource(),
  };
}

/** The first value where a name comes twice; of a list the whole, since each hop may have added to it. */
function headerOf(metadata: Metadata, name: string): string | null {
  const values = metadata.get(name);
  return name === baggageHeader && values.length > 1 ? values.join(",") : (values[0]?.toString() ?? null);
}

/** Cancels a call whose caller leaves; returns how to stop, since grpc-js tells the same of a call that has ended well. */
function cancelOn(call: EventEmitter, { cancel, deadlineMs }: IncomingCall): () => void {
  const onCancelled = (): void =>
    cancel.cancel(
      Date.now() >= deadlineMs ? deadlineExceeded() : rpcError(Code.Canceled, "the caller cancelled the call"),
    );
  call.on("cancelled", onCancelled);
  return () => call.off("cancelled", onCancelled);
}

function decode(route: Route, buffer: Buffer): Input {
  const { input } = route.method;
  try {
    return fromBinary(input, buffer);
  } catch (cause) {
    throw malformed(input, cause);
  }
}

/** @throws Error if the answer is no valid message, ConnectError if it is too large */
function encode(route: Route, output: Message): Buffer {
  const bytes = toBinary(route.method.output, output);
  if (bytes.length > messageBytesMax) {
    throw rpcError(
      Code.ResourceExhausted,
      `the answer has ${bytes.length} bytes, above the limit of ${messageBytesMax}`,
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function metadataOf(headers: Headers | undefined): Metadata | undefined {
  return headers && toMetadata(headers);
}

function toServiceError(error: unknown): Error & { code: number; details: string; metadata: Metadata } {
  const visible = error instanceof ConnectError ? error : rpcError(Code.Internal, "internal error");
  const metadata = toMetadata(visible.metadata);
  const details = encodeStatusDetails(visible);
  if (details) metadata.set(statusDetailsKey, Buffer.from(details));
  const message = statusMessage(visible);
  return Object.assign(new Error(message), { code: visible.code, details: message, metadata });
}
