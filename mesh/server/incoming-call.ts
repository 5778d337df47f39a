import type { DescMethod, Message, MessageShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type Context, ROOT_CONTEXT, type Span } from "@opentelemetry/api";
import { type CallContext, deadlineExceeded, type EndUser } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import type { Expiring } from "../context/deadlines.ts";
import { operatorHeader, parseOperator } from "../context/operator-header.ts";
import { otelContextOf, type TraceIds } from "../context/trace-ids.ts";
import type { Criticality } from "../contract/criticality.ts";
import type { MethodPolicy } from "../contract/policy.ts";
import type { AskingCall } from "./admission.ts";
import type { CallInHand } from "./calls-in-hand.ts";
import { CallHandlerContext } from "./handler-context.ts";
import type { ServedRoute } from "./served-route.ts";

export type Input = MessageShape<DescMethod["input"]>;

/** Where a call is on its way. */
export const Stage = { arriving: 0, waiting: 1, running: 2, over: 3 } as const;

/** Whom a call tells that it goes on, or ends: the pipeline. */
export interface CallDriver {
  /** Lets a waiting call go on. */
  proceed(call: IncomingCall): void;
  /** Ends a call, the first time that it is told. */
  close(call: IncomingCall, error: unknown): void;
}

/**
 * A call on its way through the server, whichever way it came in; each way has a class of its own, which knows how to read the request and
 * to send the answer. One object for a call's whole life, the context of its handler too: everything that most calls do not need is made
 * when it is asked for.
 */
export abstract class IncomingCall implements CallContext, Expiring, CallInHand, AskingCall, TraceIds {
  readonly served: ServedRoute;
  readonly arrivedMs: number;
  readonly startedAtMs: number;
  readonly peer: string | undefined;
  /** Whoever calls this way must be somebody; at the edge and on a probes' port nobody is. */
  needsPeer = true;
  /** The smaller of the caller's and the contract's. */
  deadlineMs: number;
  endUser: EndUser | undefined = undefined;
  idempotencyKey: string | undefined = undefined;
  attempt = 1;
  criticality: Criticality | undefined = undefined;
  retriesSpent = false;

  stage: number = Stage.arriving;
  /** Its handler has begun and has not ended. */
  pending = false;
  waitedMs = 0;
  lingers = false;
  /** What its caller has been told, if it failed. */
  failure: ConnectError | undefined = undefined;
  /** Why it was cancelled. */
  reason: Error | undefined = undefined;
  /** Set if the trace is recorded. */
  span: Span | undefined = undefined;
  driver: CallDriver | undefined = undefined;

  trace0 = 0;
  trace1 = 0;
  trace2 = 0;
  trace3 = 0;
  span0 = 0;
  span1 = 0;
  /** -1: no trace is known. */
  traceFlags = -1;
  state: string | undefined = undefined;

  previousDue: Expiring | undefined = undefined;
  nextDue: Expiring | undefined = undefined;
  previousInHand: CallInHand | undefined = undefined;
  nextInHand: CallInHand | undefined = undefined;

  #otel: Context | undefined = undefined;
  #source: CancelSource | undefined = undefined;

  /**
   * @param arrivedMs milliseconds since the epoch
   * @param startedAtMs the same moment on the monotonic clock
   * @param deadlineMs the caller's
   * @param peer SPIFFE id of the caller, as its certificate proves
   */
  constructor(
    served: ServedRoute,
    arrivedMs: number,
    startedAtMs: number,
    deadlineMs: number,
    peer: string | undefined,
  ) {
    this.served = served;
    this.arrivedMs = arrivedMs;
    this.startedAtMs = startedAtMs;
    this.deadlineMs = Math.min(deadlineMs, arrivedMs + served.policy.timeoutMs);
    this.peer = peer;
  }

  /** One header's value: most calls need few of them, and Headers are dear to make. */
  abstract header(name: string): string | null;
  abstract get headers(): Headers;

  /** From outside the mesh: the trace that the caller names is linked to, not gone on with; what it says of its chain is nothing to us. */
  get fromOutside(): boolean {
    return false;
  }
  /** IP address of a caller outside; known at the public edge only. */
  get clientAddress(): string | undefined {
    return undefined;
  }
  /** Where a token must be verified first: who calls; it may reject. */
  identify?(): Promise<EndUser | undefined>;
  /** Told the id under which logs and traces know the call, where somebody wants it. */
  traced?(traceId: string): void;

  get policy(): MethodPolicy {
    return this.served.policy;
  }
  get method(): string {
    return this.served.policy.path;
  }
  get streaming(): boolean {
    return this.served.policy.kind !== "unary";
  }
  get passesKeyOn(): boolean {
    return this.fromOutside;
  }
  get claimedOperator(): string | undefined {
    return parseOperator(this.header(operatorHeader));
  }
  get trace(): TraceIds | undefined {
    return this.span === undefined && this.traceFlags >= 0 ? this : undefined;
  }
  get otel(): Context {
    this.#otel ??= this.traceFlags >= 0 ? otelContextOf(this) : ROOT_CONTEXT;
    return this.#otel;
  }
  set otel(context: Context) {
    this.#otel = context;
  }
  get signal(): AbortSignal {
    return this.cancellation.signal;
  }
  get cancellation(): CancelSource {
    if (this.#source === undefined) {
      this.#source = new CancelSource();
      if (this.reason !== undefined) this.#source.cancel(this.reason);
    }
    return this.#source;
  }

  /** Takes over the place in a trace that the caller names, if it names one. */
  adoptTrace(ids: TraceIds | undefined): void {
    if (ids === undefined) return;
    this.trace0 = ids.trace0;
    this.trace1 = ids.trace1;
    this.trace2 = ids.trace2;
    this.trace3 = ids.trace3;
    this.span0 = ids.span0;
    this.span1 = ids.span1;
    this.traceFlags = ids.traceFlags;
    this.state = ids.state;
  }
  /** Ends the call with what it is cancelled for. Only the first time counts. */
  cancel(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.#source?.cancel(reason);
    this.driver?.close(this, reason);
  }
  /** It has ended: what still works for it is told. */
  over(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.#source?.cancel(reason);
  }
  expire(): void {
    this.cancel(deadlineExceeded(this.deadlineMs - this.arrivedMs));
  }
  admitted(): void {
    this.driver?.proceed(this);
  }
  refused(error: ConnectError): void {
    this.driver?.close(this, error);
  }
}

/** A unary call: how its request is read and what becomes of its answer. */
export abstract class UnaryCall extends IncomingCall {
  handlerContext: CallHandlerContext | undefined = undefined;

  /** The request's message. @throws ConnectError INVALID_ARGUMENT if it is none */
  abstract read(): Input;
  /** Sends what the handler answered. @throws unknown if it is nothing that can be sent: the call has failed then */
  abstract answer(output: Message): void;
  /** Sends what the call failed with. Must not throw. */
  abstract fail(error: ConnectError): void;

  /** Runs the handler. */
  invoke(input: Input): unknown {
    const { spec } = this.served;
    if (spec.kind !== "unary") throw new Error(`${spec.method.name} is not unary`);
    this.handlerContext = new CallHandlerContext(this.served.method, this);
    return spec.impl(input, this.handlerContext);
  }
}
