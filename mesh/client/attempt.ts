import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { deadlineExceeded, type EndUser } from "../context/call-context.ts";
import { type Deadlines, type Expiring, processDeadlines } from "../context/deadlines.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import type { Criticality } from "../contract/criticality.ts";
import type { Trial } from "../resilience/breaker.ts";
import type { TunnelAnswer, TunnelCall } from "../tunnel/client-tunnel.ts";
import type { Entries } from "../tunnel/entries.ts";
import type { CalledMethod } from "./called-method.ts";
import { type Endpoint, type HeadersInput, unreadable } from "./endpoint.ts";
import { criticalityNumbers, TunnelMetadata, tunnelMetadata } from "./tunnel-metadata.ts";

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

/** What the way that an attempt has taken can still do for it. */
export interface Sent {
  /** Stops an attempt that nobody waits for any more; what it tells from now on is not heard. */
  cancel(attempt: Attempt, reason: ConnectError): void;
}

/**
 * One attempt of a unary call at one endpoint. The way that it takes tells it how it ended; only the first thing that it is told counts.
 */
export class Attempt implements TunnelCall, Expiring {
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
  /** Set by the way that it takes. */
  sent: Sent | undefined = undefined;
  /** It has less than half of the time that the contract gives: that it runs out says nothing of the endpoint. */
  readonly hurried: boolean;
  readonly #trial: Trial;
  readonly #deadlines: Deadlines;
  #over = false;
  previousDue: Expiring | undefined = undefined;
  nextDue: Expiring | undefined = undefined;
  tunnelId = -1;
  readonly timeoutMs: number;

  /** @param nowMs milliseconds since the epoch @param startedAtMs the same moment, monotonic */
  constructor(
    call: AttemptedCall,
    endpoint: Endpoint,
    number: number,
    nowMs: number,
    startedAtMs: number,
    deadlines: Deadlines = processDeadlines,
  ) {
    const { called } = call;
    const allowedMs = called.attemptTimeoutMs;
    this.call = call;
    this.endpoint = endpoint;
    this.number = number;
    this.deadlineMs = Math.min(call.deadlineMs, nowMs + allowedMs);
    this.startedAtMs = startedAtMs;
    const timeoutMs = this.deadlineMs - nowMs;
    this.timeoutMs = timeoutMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(timeoutMs);
    this.hurried = timeoutMs < allowedMs / 2;
    this.#deadlines = deadlines;
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
    this.endpoint.began(this.startedAtMs);
    if (this.deadlineMs < Number.POSITIVE_INFINITY) this.#deadlines.add(this);
    this.endpoint.connector.unary(this);
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
    this.sent?.cancel(this, reason);
    this.call.attemptFailed(this, reason);
  }

  /** Its time is over. */
  expire(): void {
    if (this.#over) return;
    const error = asConnectError(deadlineExceeded(this.timeoutMs));
    this.sent?.cancel(this, error);
    this.failed(error);
  }

  #end(error: ConnectError | undefined): void {
    this.#over = true;
    this.#deadlines.remove(this);
    this.#trial.ended(error, this.hurried);
    this.endpoint.ended();
  }

  // What a tunnel reads of it, and tells it.
  get path(): string {
    return this.call.called.policy.path;
  }
  get message(): Uint8Array {
    return this.call.encoded();
  }
  get metadata(): Entries | undefined {
    return tunnelMetadata(this.call);
  }
  get attempt(): number {
    return this.chainAttempt;
  }
  get criticality(): TunnelCall["criticality"] {
    return criticalityNumbers[this.call.criticality ?? ""];
  }
  get trace0(): number {
    return this.call.trace?.trace0 ?? 0;
  }
  get trace1(): number {
    return this.call.trace?.trace1 ?? 0;
  }
  get trace2(): number {
    return this.call.trace?.trace2 ?? 0;
  }
  get trace3(): number {
    return this.call.trace?.trace3 ?? 0;
  }
  get span0(): number {
    return this.call.trace?.span0 ?? 0;
  }
  get span1(): number {
    return this.call.trace?.span1 ?? 0;
  }
  get traceFlags(): number {
    return this.call.trace?.traceFlags ?? -1;
  }
  answered({ message, header, trailer, large, receivedAtMs }: TunnelAnswer): void {
    if (large) this.call.called.largeAnswerAtMs = receivedAtMs;
    const metadata = header === undefined && trailer === undefined ? undefined : new TunnelMetadata(header, trailer);
    let output: Message;
    try {
      output = this.call.called.decode(message);
    } catch (cause) {
      this.failed(unreadable(cause));
      return;
    }
    this.succeeded(output, metadata, receivedAtMs);
  }
}

/** An error that a way did not expect, as the one type that callers see. */
export function asConnectError(error: unknown): ConnectError {
  return ConnectError.from(error, Code.Internal);
}
