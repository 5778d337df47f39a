import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, type ConnectError, type UnaryResponse } from "@connectrpc/connect";
import type { Span } from "@opentelemetry/api";
import {
  type CallContext,
  currentCall,
  deadlineExceeded,
  type EndUser,
  runInContext,
} from "../context/call-context.ts";
import type { CancelSource } from "../context/cancel-source.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import type { Clock, Random } from "../contract/clock.ts";
import type { Criticality } from "../contract/criticality.ts";
import { cancellation, meaningOf, rpcError } from "../contract/errors.ts";
import { retryAfter } from "../resilience/retry.ts";
import type { RetryBudget } from "../resilience/retry-budget.ts";
import { type AnswerMetadata, Attempt, type AttemptedCall, asConnectError } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import { isDecided, isNotRun, mayTryAgain, toldToCaller } from "./decide.ts";
import { type Endpoint, encodeRequest, type HeadersInput } from "./endpoint.ts";
import { Hedge, type HedgedCall } from "./hedging.ts";
import type { ClientObserver, ObservedCall } from "./observe.ts";
import {
  type CallOptions,
  criticalityOf,
  deadlineOf,
  headersOf,
  requireDeclaredFallback,
  signalOf,
} from "./outgoing-call.ts";
import type { Target } from "./target.ts";

/** What all calls to one service share. */
export interface ClientPipeline {
  readonly target: Target;
  /** Pays for retries and hedges. */
  readonly budget: RetryBudget;
  readonly observer: ClientObserver;
  readonly clock: Clock;
  readonly random: Random;
}

/** How often a call that did not run is made elsewhere. */
const movesMax = 3;

/** Why the slower of two attempts is cancelled. */
const answeredElsewhere = rpcError(Code.Canceled, "another attempt of the call was answered first");

/**
 * One unary call on the client's way: context, admit, pick, send, observe, decide. One object, which is also Connect's answer: what a good call
 * does not need (the retry loop, Headers, an abort listener) is made when it is needed.
 */
export class UnaryCall<I extends DescMessage, O extends DescMessage>
  implements AttemptedCall, HedgedCall, ObservedCall, UnaryResponse<I, O>
{
  readonly stream = false;
  readonly called: CalledMethod;
  readonly method: DescMethodUnary<I, O>;
  readonly startedAtMs: number;
  readonly deadlineMs: number;
  readonly headers: HeadersInput;
  readonly endUser: EndUser | undefined;
  readonly attemptAbove: number;
  readonly criticality: Criticality | undefined;
  span: Span | undefined = undefined;
  trace: TraceIds | undefined = undefined;
  /** The moment it was made in, milliseconds since the epoch. */
  readonly #madeMs: number;
  readonly #pipeline: ClientPipeline;
  readonly #ambient: CallContext | undefined;
  /** Of the ambient call; of the call's own options. */
  readonly #cancellation: CancelSource | undefined;
  readonly #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined = undefined;
  #resolve: ((answer: UnaryResponse<I, O>) => void) | undefined = undefined;
  #reject: ((error: ConnectError) => void) | undefined = undefined;
  #input: MessageShape<I> | undefined = undefined;
  #bytes: Buffer | undefined = undefined;
  #attempt: Attempt | undefined = undefined;
  #attempts = 0;
  #moves = 0;
  /** Where the contract allows it. */
  #hedge: Hedge | undefined = undefined;
  /** While the retry loop waits for an attempt. */
  #retrying: PromiseWithResolvers<void> | undefined = undefined;
  #message: Message | undefined = undefined;
  #metadata: AnswerMetadata | undefined = undefined;
  #ended = false;

  /** @throws Error if it may not be made at all */
  constructor(
    pipeline: ClientPipeline,
    called: CalledMethod,
    method: DescMethodUnary<I, O>,
    { headers, signal, timeoutMs }: CallOptions,
  ) {
    const { clock, observer } = pipeline;
    const ambient = currentCall();
    const { policy } = called;
    requireDeclaredFallback(ambient, policy);
    const nowMs = clock.now();
    this.called = called;
    this.method = method;
    this.#madeMs = nowMs;
    this.startedAtMs = clock.monotonic();
    this.deadlineMs = deadlineOf(ambient, policy, timeoutMs, nowMs);
    this.headers = headersOf(ambient, policy, headers);
    this.endUser = ambient?.endUser;
    this.attemptAbove = ambient?.attempt ?? 1;
    this.criticality = criticalityOf(ambient, policy);
    this.#pipeline = pipeline;
    this.#ambient = ambient;
    this.#cancellation = ambient?.cancellation;
    this.#signal = this.#cancellation === undefined ? signalOf(ambient, signal) : signal;
    observer.begin(this, ambient);
  }

  /** Makes the call. Rejects with ConnectError only. */
  run(init: MessageInitShape<I>): Promise<UnaryResponse<I, O>> {
    const settled = new Promise<UnaryResponse<I, O>>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    try {
      this.#input = create(this.method.input, init);
      if (this.#cancellation !== undefined) this.#cancellation.onCancel(this);
      if (this.#signal !== undefined) this.#obey(this.#signal);
      this.#earn();
      const { target } = this.#pipeline;
      const opening = target.opening();
      if (opening === undefined) this.#try(this.#madeMs, this.startedAtMs);
      else this.#tryAfter(opening);
    } catch (error) {
      this.#fail(asConnectError(error));
    }
    return settled;
  }

  get input(): Message {
    if (this.#input === undefined) throw new Error("the call has not been run");
    return this.#input;
  }
  encoded(): Buffer {
    if (this.#bytes === undefined) this.#bytes = encodeRequest(this.called, this.input);
    return this.#bytes;
  }

  /** What is repeated above pays for nothing here, and is not repeated. */
  #earn(): void {
    if (this.attemptAbove > 1) return;
    this.#pipeline.budget.earn();
    const { hedging } = this.called;
    if (hedging !== undefined) this.#hedge = new Hedge(hedging, this);
  }

  /** The first attempt, once it is known whom it can go to. */
  #tryAfter(opening: Promise<void>): void {
    const leftMs = Math.max(0, this.deadlineMs - this.#pipeline.clock.now());
    const timer = setTimeout(() => this.#fail(deadlineExceeded()), Math.min(leftMs, 2 ** 31 - 1));
    opening
      .then(() => {
        clearTimeout(timer);
        if (!this.#ended) this.#try(this.#pipeline.clock.now(), this.#pipeline.clock.monotonic());
      })
      .catch((error: unknown) => this.#fail(asConnectError(error)));
  }

  /** The next attempt: admit, pick, send. @throws ConnectError if none can be made */
  #try(nowMs: number, startedAtMs: number): void {
    const { target } = this.#pipeline;
    this.#requireSomebodyWaiting();
    if (this.deadlineMs <= nowMs) throw deadlineExceeded();
    const endpoint = target.pick(this.called, startedAtMs, this.#attempt?.endpoint);
    this.#attempts += 1;
    this.#attempt = new Attempt(this, endpoint, this.#attempts, nowMs, startedAtMs);
    if (this.#attempts === 1) this.#hedge?.wait();
    this.#attempt.send();
  }

  /** The first attempt takes longer than most: another endpoint may be faster. */
  sendHedge(hedge: Hedge): void {
    const endpoint = this.#elsewhere();
    if (endpoint === undefined || !this.#pipeline.budget.spend()) return;
    const { clock, observer } = this.#pipeline;
    observer.hedge(this);
    this.#attempts += 1;
    const attempt = new Attempt(this, endpoint, this.#attempts, clock.now(), clock.monotonic());
    hedge.attempt = attempt;
    runInContext(this.#ambient, () => attempt.send());
  }

  /** Another endpoint than that of the attempt under way; undefined if there is none. */
  #elsewhere(): Endpoint | undefined {
    const asked = this.#attempt?.endpoint;
    try {
      const { target, clock } = this.#pipeline;
      const endpoint = target.pick(this.called, clock.monotonic(), asked);
      return endpoint === asked ? undefined : endpoint;
    } catch {
      return undefined;
    }
  }

  attemptSucceeded(attempt: Attempt, message: Message, metadata: AnswerMetadata | undefined): void {
    this.#pipeline.target.attemptEnded(attempt, undefined);
    this.#hedge?.learn(attempt, undefined);
    if (!this.#waitsFor(attempt)) return;
    if (this.#hedge !== undefined && attempt === this.#hedge.attempt) {
      // The slower one is left behind.
      this.#hedge.attempt = this.#attempt;
      this.#attempt = attempt;
    }
    this.#message = message;
    this.#metadata = metadata;
    if (this.#retrying === undefined) this.#succeed();
    else this.#retrying.resolve();
  }

  attemptFailed(attempt: Attempt, error: ConnectError): void {
    const { target, clock } = this.#pipeline;
    attempt.endedAtMs = clock.monotonic();
    target.attemptEnded(attempt, error);
    this.#hedge?.learn(attempt, error);
    if (!this.#waitsFor(attempt) || this.#mayStillSucceed(attempt, error)) return;
    if (isNotRun(error) && this.#moveOn()) return;
    if (this.#retrying !== undefined) this.#retrying.reject(error);
    else if (mayTryAgain(this.called.policy, error, this.attemptAbove)) this.#retry(error);
    else this.#fail(error);
  }

  /** The attempt under way did not run: another takes its place elsewhere, whatever the method does. False if there is nowhere to go. */
  #moveOn(): boolean {
    const { clock } = this.#pipeline;
    const { number } = this.#attempt ?? { number: 1 };
    const nowMs = clock.now();
    if (this.#moves === movesMax || this.deadlineMs <= nowMs) return false;
    const endpoint = this.#elsewhere();
    if (endpoint === undefined) return false;
    this.#moves += 1;
    const attempt = new Attempt(this, endpoint, number, nowMs, clock.monotonic());
    this.#attempt = attempt;
    runInContext(this.#ambient, () => attempt.send());
    return true;
  }

  #waitsFor(attempt: Attempt): boolean {
    return !this.#ended && (attempt === this.#attempt || attempt === this.#hedge?.attempt);
  }

  /** Of two attempts under way one has failed: the other may be answered, unless the failure is an answer. */
  #mayStillSucceed(failed: Attempt, error: ConnectError): boolean {
    if (this.#hedge === undefined) return false;
    this.#hedge.callOff();
    const other = failed === this.#attempt ? this.#hedge.attempt : this.#attempt;
    return other !== undefined && !other.over && meaningOf(error.code).retryable;
  }

  /** Decide: the loop is entered only here, after a first failure. */
  #retry(firstError: ConnectError): void {
    const { budget, clock, random, observer } = this.#pipeline;
    const { deadlineMs } = this;
    const { retry } = this.called.policy;
    if (retry === undefined) throw new Error(`${this.called.policy.path} is never repeated`);
    // Hedged, the call has had two attempts.
    const policy = this.#attempts === 1 ? retry : { ...retry, maxAttempts: retry.maxAttempts - 1 };
    const onRetry = (attempt: number, delayMs: number): void => observer.retry(this, attempt, delayMs);
    const attempt = (): Promise<void> => {
      this.#retrying = Promise.withResolvers<void>();
      // What ends an attempt runs wherever its answer was read; the next one belongs to the caller.
      runInContext(this.#ambient, () => this.#try(clock.now(), clock.monotonic()));
      return this.#retrying.promise;
    };
    retryAfter(firstError, { policy, deadlineMs, budget, clock, random, onRetry }, attempt).then(
      () => this.#succeed(),
      (error: unknown) => this.#fail(asConnectError(error)),
    );
  }

  /** The ambient call is cancelled, or its time is over. */
  cancelled(reason: Error): void {
    this.#fail(asConnectError(reason));
  }

  #obey(signal: AbortSignal): void {
    this.#onAbort = () => this.#fail(cancellation(signal));
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @throws ConnectError if nobody waits for the answer any more */
  #requireSomebodyWaiting(): void {
    if (this.#cancellation?.reason !== undefined) throw asConnectError(this.#cancellation.reason);
    if (this.#signal?.aborted) throw cancellation(this.#signal);
  }

  #succeed(): void {
    if (!this.#end(undefined)) return;
    this.#resolve?.(this);
    this.#hedge?.attempt?.abandon(answeredElsewhere);
  }

  /** Whoever calls sees errors of one type, those of this process too. */
  #fail(error: ConnectError): void {
    if (!this.#end(error)) return;
    if (this.#ambient !== undefined && isDecided(this.called.policy, error)) this.#ambient.retriesSpent = true;
    this.#attempt?.abandon(error);
    this.#hedge?.attempt?.abandon(error);
    this.#reject?.(toldToCaller(error, this.called.policy.path));
  }

  #end(error: ConnectError | undefined): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#hedge?.callOff();
    if (this.#cancellation !== undefined) this.#cancellation.offCancel(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    const { clock, observer } = this.#pipeline;
    const answeredAtMs = error === undefined ? this.#attempt?.endedAtMs : undefined;
    observer.end(this, answeredAtMs ?? clock.monotonic(), error);
    return true;
  }

  get service(): DescService {
    return this.method.parent;
  }
  get message(): MessageShape<O> {
    if (this.#message === undefined) throw new Error("the call has no answer yet");
    return this.#message as MessageShape<O>;
  }
  get header(): Headers {
    return this.#metadata?.header ?? new Headers();
  }
  get trailer(): Headers {
    return this.#metadata?.trailer ?? new Headers();
  }
}
