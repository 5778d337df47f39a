import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import type { Trial } from "../resilience/breaker.ts";
import type { CalledMethod } from "./called-method.ts";
import type { Endpoint, HeadersInput, UnaryWay } from "./endpoint.ts";

/** What came beside an answer's message. Its Headers are made when somebody asks, which few do. */
export interface AnswerMetadata {
  readonly header: Headers;
  readonly trailer: Headers;
}

/** A unary call as its attempts see it: what they send, and whom they tell. */
export interface AttemptedCall {
  readonly called: CalledMethod;
  readonly input: Message;
  readonly headers: HeadersInput;
  /** The trace context, as headers. */
  readonly trace: Readonly<Record<string, string>>;
  readonly endUser: EndUser | undefined;
  /** The request as it goes over a wire; made once. @throws ConnectError INVALID_ARGUMENT if it is no valid message */
  encoded(): Buffer;
  attemptAnswered(attempt: Attempt, message: Message, metadata: AnswerMetadata | undefined): void;
  attemptFailed(attempt: Attempt, error: ConnectError): void;
}

export interface AttemptLimits {
  /** 1 for the first. */
  readonly number: number;
  /** Milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  /** It has less than half of the time that the contract gives: that it runs out says nothing of the endpoint. */
  readonly hurried: boolean;
  /** Monotonic. */
  readonly startedAtMs: number;
}

/**
 * One attempt of a unary call at one endpoint. The way that it takes tells it how it ended; only the first thing that it is told counts.
 */
export class Attempt {
  readonly call: AttemptedCall;
  readonly endpoint: Endpoint;
  readonly number: number;
  readonly deadlineMs: number;
  readonly startedAtMs: number;
  /** What the way knows it by; the way's own. */
  sent: unknown;
  readonly #hurried: boolean;
  readonly #trial: Trial;
  #way: UnaryWay | undefined;
  #over = false;

  constructor(call: AttemptedCall, endpoint: Endpoint, limits: AttemptLimits) {
    this.call = call;
    this.endpoint = endpoint;
    this.number = limits.number;
    this.deadlineMs = limits.deadlineMs;
    this.startedAtMs = limits.startedAtMs;
    this.#hurried = limits.hurried;
    this.#trial = endpoint.breaker(call.called).begin("unary");
  }

  send(): void {
    this.endpoint.began();
    this.#way = this.endpoint.connector.way(this);
    this.#way.send(this);
  }

  answered(message: Message, metadata: AnswerMetadata | undefined): void {
    if (this.#over) return;
    this.#end(undefined);
    this.call.attemptAnswered(this, message, metadata);
  }

  failed(error: ConnectError): void {
    if (this.#over) return;
    this.#end(error);
    this.call.attemptFailed(this, error);
  }

  /** Ends it for a call that has its answer, or nobody who waits for one. */
  abandon(reason: ConnectError): void {
    if (this.#over) return;
    this.#end(reason);
    this.#way?.cancel(this, reason);
    this.call.attemptFailed(this, reason);
  }

  #end(error: ConnectError | undefined): void {
    this.#over = true;
    this.#trial.ended(error, this.#hurried);
    this.endpoint.ended();
  }
}

/** An error that a way did not expect, as the one type that callers see. */
export function asConnectError(error: unknown): ConnectError {
  return ConnectError.from(error, Code.Internal);
}
