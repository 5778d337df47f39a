import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  type ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { deadlineExceeded } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { endUserHeader, parseEndUser } from "../context/end-user-header.ts";
import { rpcError } from "../contract/errors.ts";
import { encodeStatusDetails, statusDetailsKey, statusMessage } from "../contract/grpc-status.ts";
import { toHeaders, toMetadata } from "../contract/metadata.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import { CallHandlerContext } from "./handler-context.ts";
import { invokeStream, invokeUnary } from "./invoke.ts";
import type { PeerOf } from "./peer.ts";
import type { IncomingCall, ServerPipeline } from "./pipeline.ts";
import { type Route, servicesOf } from "./routes.ts";

/** Bounds of one server. */
const serverOptions: ServerOptions = {
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_send_message_length": 4 * 1024 * 1024,
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
  readonly peerOf: PeerOf;
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

/** Binds a server. @throws Error naming the address and the setting that changes it */
export async function bind(
  server: Server,
  address: Address,
  credentials: ServerCredentials,
  setting: string,
): Promise<number> {
  const text = formatAddress(address);
  return await new Promise((resolve, reject) => {
    server.bindAsync(text, credentials, (error, port) => {
      if (error) reject(new Error(`cannot listen on ${text}: is it in use? ${setting} changes it`, { cause: error }));
      else resolve(port);
    });
  });
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
  const { pipeline, peerOf } = options;
  return (call, callback) => {
    const incoming = incomingCall(route, call, peerOf);
    const unlink = cancelOn(call, incoming);
    let handlerContext: CallHandlerContext | undefined;
    const answer = pipeline.unary(
      incoming,
      () => decode(route, call.request),
      // Encoded here: an answer that is no valid message is an error like any other.
      async (input, context) => {
        handlerContext = new CallHandlerContext(route.method, incoming, context);
        return encode(route, await invokeUnary(route.spec, input, handlerContext));
      },
    );
    answer.then(
      (output) => {
        unlink();
        if (handlerContext?.sentHeader) call.sendMetadata(toMetadata(handlerContext.sentHeader));
        const trailer = handlerContext?.sentTrailer;
        callback(null, output, trailer && toMetadata(trailer));
      },
      (error: unknown) => {
        unlink();
        callback(toServiceError(error));
      },
    );
  };
}

function streamHandler(route: Route, options: GrpcServerOptions): handleBidiStreamingCall<Buffer, Buffer> {
  const { pipeline, peerOf } = options;
  return (call) => {
    const incoming = incomingCall(route, call, peerOf);
    cancelOn(call, incoming);
    let handlerContext: CallHandlerContext | undefined;
    const outputs = pipeline.stream(incoming, readInputs(route, call), (inputs, context) => {
      handlerContext = new CallHandlerContext(route.method, incoming, context);
      return invokeStream(route.spec, inputs, handlerContext);
    });
    writeOutputs(route, call, outputs, () => handlerContext).catch((error: unknown) => {
      call.emit("error", toServiceError(error));
    });
  };
}

async function writeOutputs(
  route: Route,
  call: ServerDuplexStream<Buffer, Buffer>,
  outputs: AsyncIterable<Message>,
  handlerContext: () => CallHandlerContext | undefined,
): Promise<void> {
  let headerSent = false;
  const sendHeader = (): void => {
    if (headerSent) return;
    headerSent = true;
    call.sendMetadata(toMetadata(handlerContext()?.sentHeader ?? new Headers()));
  };
  for await (const output of outputs) {
    sendHeader();
    if (!call.write(encode(route, output))) await writable(call);
  }
  sendHeader();
  const trailer = handlerContext()?.sentTrailer;
  call.end(trailer && toMetadata(trailer));
}

/** Waits until the stream takes more, or is gone: a reader that left is noticed by the pipeline. */
function writable(call: ServerDuplexStream<Buffer, Buffer>): Promise<void> {
  return new Promise((resolve) => {
    const events = ["drain", "close", "cancelled"];
    const emitter: EventEmitter = call;
    const done = (): void => {
      for (const event of events) emitter.off(event, done);
      resolve();
    };
    for (const event of events) emitter.on(event, done);
    if (call.cancelled || call.destroyed) done();
  });
}

async function* readInputs(route: Route, call: ServerDuplexStream<Buffer, Buffer>): AsyncIterable<Input> {
  // Iterating a duplex destroys it when its input ends, before the answers have left.
  const readable: Readable = call;
  for await (const buffer of readable.iterator({ destroyOnReturn: false })) yield decode(route, buffer);
}

function incomingCall(route: Route, call: AnyCall, peerOf: PeerOf): IncomingCall {
  const deadline = call.getDeadline();
  const peer = peerOf(call);
  const header = (name: string): string | null => call.metadata.get(name)[0]?.toString() ?? null;
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
    peer,
    endUser: peer === undefined ? undefined : parseEndUser(header(endUserHeader)),
    cancel: new CancelSource(),
  };
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
    throw rpcError(Code.InvalidArgument, `the request is not a valid ${input.typeName} message`, {
      reason: "MALFORMED_MESSAGE",
      domain: "weft",
      cause,
    });
  }
}

function encode(route: Route, output: Message): Buffer {
  const bytes = toBinary(route.method.output, output);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toServiceError(error: unknown): Error & { code: number; details: string; metadata: Metadata } {
  const visible = error instanceof ConnectError ? error : rpcError(Code.Internal, "internal error");
  const metadata = new Metadata();
  const details = encodeStatusDetails(visible);
  if (details) metadata.set(statusDetailsKey, Buffer.from(details));
  const message = statusMessage(visible);
  return Object.assign(new Error(message), { code: visible.code, details: message, metadata });
}
