import type { EventEmitter } from "node:events";
import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { baggageHeader } from "../context/baggage.ts";
import { deadlineExceeded } from "../context/call-context.ts";
import { endUserHeader, parseEndUser } from "../context/end-user-header.ts";
import { parseTraceparent } from "../context/trace-ids.ts";
import type { Clock } from "../contract/clock.ts";
import { ownBytes } from "../contract/encode-scratch.ts";
import { rpcError } from "../contract/errors.ts";
import { encodeStatusDetails, statusDetailsKey, statusMessage } from "../contract/grpc-status.ts";
import { toHeaders, toMetadata } from "../contract/metadata.ts";
import { IncomingCall, type Input, UnaryCall } from "./incoming-call.ts";
import { decodeRequest, encodeAnswer } from "./message-codec.ts";
import type { PeerOf } from "./peer.ts";
import type { ServedRoute } from "./served-route.ts";

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** A unary call over plain gRPC. */
export class GrpcUnaryCall extends UnaryCall {
  readonly #call: ServerUnaryCall<Buffer, Buffer>;
  readonly #callback: sendUnaryData<Buffer>;
  readonly #unlink: () => void;
  #headers: Headers | undefined;

  /** @param peerOf tells who calls; whoever is nobody is refused. Undefined on a plaintext port, where nobody can tell */
  constructor(
    served: ServedRoute,
    clock: Clock,
    call: ServerUnaryCall<Buffer, Buffer>,
    peerOf: PeerOf | undefined,
    callback: sendUnaryData<Buffer>,
  ) {
    super(served, clock.now(), clock.monotonic(), deadlineOf(call), peerOf?.(call));
    this.needsPeer = peerOf !== undefined;
    this.#call = call;
    this.#callback = callback;
    this.#unlink = begin(this, call);
  }
  header(name: string): string | null {
    return headerOf(this.#call.metadata, name);
  }
  get headers(): Headers {
    this.#headers ??= toHeaders(this.#call.metadata);
    return this.#headers;
  }
  read(): Input {
    return decodeRequest(this.served, this.#call.request);
  }
  answer(output: Message): void {
    // Encoded first: an answer that gRPC cannot carry is an error like any other.
    const bytes = ownBytes(encodeAnswer(this.served, output));
    const { handlerContext } = this;
    const [header, trailer] = [metadataOf(handlerContext?.sentHeader), metadataOf(handlerContext?.sentTrailer)];
    this.#unlink();
    if (header) this.#call.sendMetadata(header);
    this.#callback(null, bytes, trailer);
  }
  fail(error: ConnectError): void {
    this.#unlink();
    this.#callback(toServiceError(error));
  }
}

/** A streaming call of any kind over plain gRPC. */
export class GrpcStreamCall extends IncomingCall {
  /** To be called when the call has ended. */
  readonly unlink: () => void;
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  #headers: Headers | undefined;

  constructor(served: ServedRoute, clock: Clock, call: ServerDuplexStream<Buffer, Buffer>, peerOf: PeerOf | undefined) {
    super(served, clock.now(), clock.monotonic(), deadlineOf(call), peerOf?.(call));
    this.needsPeer = peerOf !== undefined;
    this.#call = call;
    this.unlink = begin(this, call);
  }
  header(name: string): string | null {
    return headerOf(this.#call.metadata, name);
  }
  get headers(): Headers {
    this.#headers ??= toHeaders(this.#call.metadata);
    return this.#headers;
  }
}

/**
 * Takes over what the metadata say, and cancels the call if its caller leaves; returns how to stop that, since grpc-js tells the same of a
 * call that has ended well.
 */
function begin(incoming: IncomingCall, call: AnyCall): () => void {
  if (incoming.peer !== undefined) incoming.endUser = parseEndUser(incoming.header(endUserHeader));
  incoming.adoptTrace(parseTraceparent(incoming.header("traceparent"), incoming.header("tracestate")));
  const onCancelled = (): void =>
    incoming.cancel(
      Date.now() >= incoming.deadlineMs ? deadlineExceeded() : rpcError(Code.Canceled, "the caller cancelled the call"),
    );
  const events: EventEmitter = call;
  events.on("cancelled", onCancelled);
  return () => events.off("cancelled", onCancelled);
}

function deadlineOf(call: AnyCall): number {
  const deadline = call.getDeadline();
  return typeof deadline === "number" ? deadline : deadline.getTime();
}

/** The first value where a name comes twice; of a list the whole, since each hop may have added to it. */
function headerOf(metadata: Metadata, name: string): string | null {
  const values = metadata.get(name);
  return name === baggageHeader && values.length > 1 ? values.join(",") : (values[0]?.toString() ?? null);
}

/** Headers that a handler has set, as grpc-js takes them; undefined for none. */
export function metadataOf(headers: Headers | undefined): Metadata | undefined {
  return headers && toMetadata(headers);
}

/** An error as grpc-js sends it. */
export function toServiceError(error: unknown): Error & { code: number; details: string; metadata: Metadata } {
  const visible = error instanceof ConnectError ? error : rpcError(Code.Internal, "internal error");
  const metadata = toMetadata(visible.metadata);
  const details = encodeStatusDetails(visible);
  if (details) metadata.set(statusDetailsKey, Buffer.from(details));
  const message = statusMessage(visible);
  return Object.assign(new Error(message), { code: visible.code, details: message, metadata });
}
