import { fromBinary, type Message } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { type Channel, type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { formatBaggage } from "../context/baggage.ts";
import type { Clock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { toHeaders } from "../contract/metadata.ts";
import type { AnswerMetadata, Attempt, Sent } from "./attempt.ts";
import { unreadable } from "./endpoint.ts";
import type { Connection, Connections } from "./grpc-connections.ts";
import { statusError } from "./grpc-errors.ts";
import { metadataOf } from "./grpc-metadata.ts";

/** What grpc-js's Client is made on. Its public name is Call; it calls itself opaque, so its version is pinned. */
type Call = ReturnType<Channel["createCall"]>;
type CallListener = Parameters<Call["start"]>[1];

/**
 * Sends an attempt on a gRPC call of its own: on grpc-js's channel directly, without the emitter, the interceptors and the stack trace that its
 * Client makes for each call. The attempt's time is watched by the attempt, so that grpc-js needs no timer.
 *
 * @throws ConnectError if the request is no valid message
 */
export function sendUnary(attempt: Attempt, connections: Connections, clock: Clock): void {
  const { call, path, timeoutMs } = attempt;
  const bytes = call.encoded();
  const metadata = metadataOf(call, formatBaggage(attempt.chainAttempt, call.criticality));
  // At most eight digits, as gRPC has it. 0: there is no deadline.
  if (timeoutMs > 0) metadata.set("grpc-timeout", `${Math.min(timeoutMs, 99_999_999)}m`);
  const connection = connections.take();
  try {
    const sent = connection.client.getChannel().createCall(`/${path}`, Number.POSITIVE_INFINITY, null, null, null);
    attempt.sent = new GrpcUnary(attempt, sent, connection, clock);
    sent.start(metadata, attempt.sent as GrpcUnary);
    sent.sendMessageWithContext({}, bytes);
    sent.halfClose();
    sent.startRead();
  } catch (error) {
    connection.release();
    throw error;
  }
}

/** A call under way, as grpc-js tells of it: headers, the message, and last the status. */
class GrpcUnary implements Sent, CallListener {
  readonly #attempt: Attempt;
  readonly #call: Call;
  readonly #connection: Connection;
  readonly #clock: Clock;
  #header: Metadata | undefined = undefined;
  #answer: Buffer | undefined = undefined;

  constructor(attempt: Attempt, call: Call, connection: Connection, clock: Clock) {
    this.#attempt = attempt;
    this.#call = call;
    this.#connection = connection;
    this.#clock = clock;
  }
  cancel(): void {
    this.#call.cancelWithStatus(status.CANCELLED, "the caller waits no more");
  }
  onReceiveMetadata(metadata: Metadata): void {
    this.#header = metadata;
  }
  onReceiveMessage(message: Buffer): void {
    if (this.#answer === undefined) this.#answer = message;
    else this.#call.cancelWithStatus(status.INTERNAL, "more than one answer came");
  }
  onReceiveStatus(ended: StatusObject): void {
    this.#connection.release();
    if (ended.code !== status.OK) this.#attempt.failed(statusError(ended));
    else if (this.#answer === undefined) this.#attempt.failed(rpcError(Code.Unimplemented, "no answer came"));
    else this.#finish(this.#answer, new GrpcMetadata(this.#header, ended.metadata));
  }
  #finish(answer: Buffer, metadata: AnswerMetadata): void {
    let message: Message;
    try {
      message = fromBinary(this.#attempt.call.called.desc.output, answer);
    } catch (cause) {
      this.#attempt.failed(unreadable(cause));
      return;
    }
    this.#attempt.succeeded(message, metadata, this.#clock.monotonic());
  }
}

/** Metadata that become Headers when somebody asks, which few do. */
class GrpcMetadata implements AnswerMetadata {
  readonly #header: Metadata | undefined;
  readonly #trailer: Metadata;

  constructor(header: Metadata | undefined, trailer: Metadata) {
    this.#header = header;
    this.#trailer = trailer;
  }
  get header(): Headers {
    return this.#header ? toHeaders(this.#header) : new Headers();
  }
  get trailer(): Headers {
    return toHeaders(this.#trailer);
  }
}
