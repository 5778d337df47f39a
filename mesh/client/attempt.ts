import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import type { Criticality } from "../contract/criticality.ts";
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
  /** Of the whole call: milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  readonly headers: HeadersInput;
  readonly trace: TraceIds | undefined;
  readonly endUser: EndUser | undefined;
  /** Which attempt the call that is being handled here is part of: 1 unless it is repeated above. */
  readonly attemptAbove: number;
  readonly criticality: Criticality | undefined;
  /** The request as it goes over a wire; made once. @throws ConnectError INVALID_ARGUMENT if it is no valid message */
  encoded(): Buffer;
  attemptSucceeded(attempt: Attempt, message: Message, metadata: AnswerMetadata | undefined): void;
  attemptFailed(attempt: Attempt, error: ConnectError): void;
}

/**
 * One attempt of a unary call at one endpoint. The way that it takes tells it how it ended; only the first thing that it is told counts.
 */
export class Attempt {
  readonly call: AttemptedCall;
  readonly endpoint: Endpoint;
  /** 1 for the first. */
  readonly number: number;
  /** Milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  /** Monotonic. */
  readonly startedAtMs: number;
  /** Monotonic; Infinity while it is under way. */
  endedAtMs = Number.POSITIVE_INFINITY;
  /** What the way knows it by; the way's own. */
  sent: unknown = undefined;
  /** It has less than half of the time that the contract gives: that it runs out says nothing of the endpoint. */
  readonly #hurried: boolean;
  readonly #trial: Trial;
  #way: UnaryWay | undefined = undefined;
  #over = false;

  /** @param nowMs milliseconds since the epoch @param startedAtMs the same moment, monotonic */
  constructor(call: AttemptedCall, endpoint: Endpoint, number: number, nowMs: number, startedAtMs: number) {
    const { called } = call;
    const allowedMs = called.attemptTimeoutMs;
    this.call = call;
    this.endpoint = endpoint;
    this.number = number;
    this.deadlineMs = Math.min(call.deadlineMs, nowMs + allowedMs);
    this.startedAtMs = startedAtMs;
    this.#hurried = this.deadlineMs - nowMs < allowedMs / 2;
    this.#trial = endpoint.breaker(called).begin("unary");
  }

  /** Its number along the chain: above 1 also if a call above this one is repeated. */
  get chainAttempt(): number {
    return this.call.attemptAbove + this.number - 1;
  }
  get over(): boolean {
    return this.#over;
  }

  send(): void {
    this.endpoint.began();
    this.#way = this.endpoint.connector.way(this);
    this.#way.send(this);
  }

  /** @param endedAtMs monotonic */
  succeeded(message: Message, metadata: AnswerMetadata | undefined, endedAtMs: number): void {
    if (this.#over) return;
    this.endedAtMs = endedAtMs;
    this.#end(undefined);
    this.call.attemptSucceeded(this, message, metadata);
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
