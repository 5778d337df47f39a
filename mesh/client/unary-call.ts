import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { ConnectError, UnaryResponse } from "@connectrpc/connect";
import { type CallContext, currentCall, type EndUser, runInContext } from "../context/call-context.ts";
import type { Clock, Random } from "../contract/clock.ts";
import { cancellation } from "../contract/errors.ts";
import { retryAfter } from "../resilience/retry.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type AnswerMetadata, Attempt, type AttemptedCall, asConnectError } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import { mayTryAgain } from "./decide.ts";
import { encodeMessage, type HeadersInput } from "./endpoint.ts";
import type { ClientObserver, Observation } from "./observe.ts";
import {
  type CallOptions,
  deadlineOf,
  headersOf,
  requireDeclaredFallback,
  requireTimeLeft,
  signalOf,
} from "./outgoing-call.ts";
import type { Target } from "./target.ts";

/** What all calls to one service share. */
export interface ClientPipeline {
  readonly target: Target;
  readonly observer: ClientObserver;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One unary call on the client's way: context, admit, pick, send, observe, decide. One object, which is also Connect's answer: what a good call
 * does not need (the retry loop, Headers, an abort listener) is made when it is needed.
 */
export class UnaryCall<I extends DescMessage, O extends DescMessage> implements AttemptedCall, UnaryResponse<I, O> {
  readonly stream = false;
  readonly called: CalledMethod;
  readonly method: DescMethodUnary<I, O>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly headers: HeadersInput;
  readonly trace: Readonly<Record<string, string>>;
  readonly endUser: EndUser | undefined;
  readonly #pipeline: ClientPipeline;
  readonly #ambient: CallContext | undefined;
  readonly #observation: Observation;
  readonly #settled = Promise.withResolvers<UnaryResponse<I, O>>();
  #input: MessageShape<I> | undefined;
  #bytes: Buffer | undefined;
  #attempt: Attempt | undefined;
  #attempts = 0;
  /** While the retry loop waits for an attempt. */
  #retrying: PromiseWithResolvers<void> | undefined;
  #onAbort: (() => void) | undefined;
  #message: Message | undefined;
  #metadata: AnswerMetadata | undefined;
  #ended = false;

  /** @throws Error if it may not be made at all */
  constructor(pipeline: ClientPipeline, called: CalledMethod, method: DescMethodUnary<I, O>, options: CallOptions) {
    const ambient = currentCall();
    const { policy } = called;
    requireDeclaredFallback(ambient, policy);
    this.called = called;
    this.method = method;
    this.#pipeline = pipeline;
    this.#ambient = ambient;
    this.deadlineMs = deadlineOf(ambient, policy, options.timeoutMs, pipeline.clock.now());
    this.signal = signalOf(ambient, options.signal);
    this.headers = headersOf(ambient, policy, options.headers);
    this.endUser = ambient?.endUser;
    this.#observation = pipeline.observer.begin(called, ambient);
    this.trace = pipeline.telemetry.inject(this.#observation.otel);
  }

  /** Makes the call. Rejects with ConnectError only. */
  run(init: MessageInitShape<I>): Promise<UnaryResponse<I, O>> {
    try {
      this.#input = create(this.method.input, init);
      this.#obeySignal();
      this.#try();
    } catch (error) {
      this.#fail(asConnectError(error));
    }
    return this.#settled.promise;
  }

  get input(): Message {
    if (this.#input === undefined) throw new Error("the call has not been run");
    return this.#input;
  }
  encoded(): Buffer {
    if (this.#bytes === undefined) this.#bytes = encodeMessage(this.method.input, this.input as MessageShape<I>);
    return this.#bytes;
  }

  /** The next attempt: admit, pick, send. @throws ConnectError if none can be made */
  #try(): void {
    const { target, clock } = this.#pipeline;
    requireTimeLeft(this, clock);
    const endpoint = target.pick(this.called, this.#attempt?.endpoint);
    const allowedMs = this.called.attemptTimeoutMs;
    const nowMs = clock.now();
    const deadlineMs = Math.min(this.deadlineMs, nowMs + allowedMs);
    this.#attempts += 1;
    this.#attempt = new Attempt(this, endpoint, {
      number: this.#attempts,
      deadlineMs,
      hurried: deadlineMs - nowMs < allowedMs / 2,
      startedAtMs: clock.monotonic(),
    });
    this.#attempt.send();
  }

  attemptAnswered(attempt: Attempt, message: Message, metadata: AnswerMetadata | undefined): void {
    this.#pipeline.target.attemptEnded(attempt, undefined);
    if (attempt !== this.#attempt || this.#ended) return;
    this.#message = message;
    this.#metadata = metadata;
    if (this.#retrying === undefined) this.#succeed();
    else this.#retrying.resolve();
  }

  attemptFailed(attempt: Attempt, error: ConnectError): void {
    this.#pipeline.target.attemptEnded(attempt, error);
    if (attempt !== this.#attempt || this.#ended) return;
    if (this.#retrying !== undefined) this.#retrying.reject(error);
    else if (mayTryAgain(this.called.policy, error)) this.#retry(error);
    else this.#fail(error);
  }

  /** Decide: the loop is entered only here, after a first failure. */
  #retry(firstError: ConnectError): void {
    const { clock, random, observer } = this.#pipeline;
    const { deadlineMs, signal } = this;
    const { retry: policy } = this.called.policy;
    if (policy === undefined) throw new Error(`${this.called.policy.path} is never repeated`);
    const onRetry = (attempt: number, delayMs: number): void => observer.retry(this.#observation, attempt, delayMs);
    const attempt = (): Promise<void> => {
      this.#retrying = Promise.withResolvers<void>();
      // What ends an attempt runs wherever its answer was read; the next one belongs to the caller.
      runInContext(this.#ambient, () => this.#try());
      return this.#retrying.promise;
    };
    retryAfter(firstError, { policy, deadlineMs, signal, clock, random, onRetry }, attempt).then(
      () => this.#succeed(),
      (error: unknown) => this.#fail(asConnectError(error)),
    );
  }

  #obeySignal(): void {
    const { signal } = this;
    if (signal === undefined || signal.aborted) return;
    this.#onAbort = () => this.#fail(cancellation(signal));
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  #succeed(): void {
    if (this.#end(undefined)) this.#settled.resolve(this);
  }

  /** Whoever calls sees errors of one type, those of this process too. */
  #fail(error: ConnectError): void {
    if (!this.#end(error)) return;
    this.#attempt?.abandon(error);
    this.#settled.reject(error);
  }

  #end(error: ConnectError | undefined): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    if (this.#onAbort !== undefined) this.signal?.removeEventListener("abort", this.#onAbort);
    this.#pipeline.observer.end(this.#observation, error);
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
