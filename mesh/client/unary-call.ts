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
import { cancellation } from "../contract/errors.ts";
import { retryAfter } from "../resilience/retry.ts";
import { type AnswerMetadata, Attempt, type AttemptedCall, asConnectError } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import { mayTryAgain } from "./decide.ts";
import { encodeMessage, type HeadersInput } from "./endpoint.ts";
import type { ClientObserver, ObservedCall } from "./observe.ts";
import { type CallOptions, deadlineOf, headersOf, requireDeclaredFallback, signalOf } from "./outgoing-call.ts";
import type { Target } from "./target.ts";

/** What all calls to one service share. */
export interface ClientPipeline {
  readonly target: Target;
  readonly observer: ClientObserver;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One unary call on the client's way: context, admit, pick, send, observe, decide. One object, which is also Connect's answer: what a good call
 * does not need (the retry loop, Headers, an abort listener) is made when it is needed.
 */
export class UnaryCall<I extends DescMessage, O extends DescMessage>
  implements AttemptedCall, ObservedCall, UnaryResponse<I, O>
{
  readonly stream = false;
  readonly called: CalledMethod;
  readonly method: DescMethodUnary<I, O>;
  readonly startedAtMs: number;
  readonly deadlineMs: number;
  readonly headers: HeadersInput;
  readonly endUser: EndUser | undefined;
  span: Span | undefined = undefined;
  trace: TraceIds | undefined = undefined;
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
    this.startedAtMs = clock.monotonic();
    this.deadlineMs = deadlineOf(ambient, policy, timeoutMs, nowMs);
    this.headers = headersOf(ambient, policy, headers);
    this.endUser = ambient?.endUser;
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
      this.#try(this.#pipeline.clock.now(), this.startedAtMs);
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
    if (this.#bytes === undefined) this.#bytes = encodeMessage(this.method.input, this.input as MessageShape<I>);
    return this.#bytes;
  }

  /** The next attempt: admit, pick, send. @throws ConnectError if none can be made */
  #try(nowMs: number, startedAtMs: number): void {
    const { target } = this.#pipeline;
    this.#requireSomebodyWaiting();
    if (this.deadlineMs <= nowMs) throw deadlineExceeded();
    const endpoint = target.pick(this.called, this.#attempt?.endpoint);
    this.#attempts += 1;
    this.#attempt = new Attempt(this, endpoint, this.#attempts, nowMs, startedAtMs);
    this.#attempt.send();
  }

  attemptSucceeded(attempt: Attempt, message: Message, metadata: AnswerMetadata | undefined): void {
    this.#pipeline.target.attemptEnded(attempt, undefined);
    if (attempt !== this.#attempt || this.#ended) return;
    this.#message = message;
    this.#metadata = metadata;
    if (this.#retrying === undefined) this.#succeed();
    else this.#retrying.resolve();
  }

  attemptFailed(attempt: Attempt, error: ConnectError): void {
    const { target, clock } = this.#pipeline;
    attempt.endedAtMs = clock.monotonic();
    target.attemptEnded(attempt, error);
    if (attempt !== this.#attempt || this.#ended) return;
    if (this.#retrying !== undefined) this.#retrying.reject(error);
    else if (mayTryAgain(this.called.policy, error)) this.#retry(error);
    else this.#fail(error);
  }

  /** Decide: the loop is entered only here, after a first failure. */
  #retry(firstError: ConnectError): void {
    const { clock, random, observer } = this.#pipeline;
    const { deadlineMs } = this;
    const { retry: policy } = this.called.policy;
    if (policy === undefined) throw new Error(`${this.called.policy.path} is never repeated`);
    const onRetry = (attempt: number, delayMs: number): void => observer.retry(this, attempt, delayMs);
    const attempt = (): Promise<void> => {
      this.#retrying = Promise.withResolvers<void>();
      // What ends an attempt runs wherever its answer was read; the next one belongs to the caller.
      runInContext(this.#ambient, () => this.#try(clock.now(), clock.monotonic()));
      return this.#retrying.promise;
    };
    retryAfter(firstError, { policy, deadlineMs, clock, random, onRetry }, attempt).then(
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
    if (this.#end(undefined)) this.#resolve?.(this);
  }

  /** Whoever calls sees errors of one type, those of this process too. */
  #fail(error: ConnectError): void {
    if (!this.#end(error)) return;
    this.#attempt?.abandon(error);
    this.#reject?.(error);
  }

  #end(error: ConnectError | undefined): boolean {
    if (this.#ended) return false;
    this.#ended = true;
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
