import { AsyncLocalStorage } from "node:async_hooks";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type Context, ROOT_CONTEXT } from "@opentelemetry/api";
import type { Criticality } from "../contract/criticality.ts";
import { rpcError } from "../contract/errors.ts";
import { CancelSource } from "./cancel-source.ts";
import { otelContextOf, type TraceIds } from "./trace-ids.ts";

/** The person on whose behalf a call is made, as the edge has verified. */
export interface EndUser {
  readonly userId: string;
  readonly scopes: readonly string[];
}

/** What surrounds the code that handles a call. Ambient, so that nothing can be dropped on the way. */
export interface CallContext {
  /** "package.Service/Method" of the call being handled; "" outside of one. */
  readonly method: string;
  /** Milliseconds since the epoch; Infinity if there is none. Only ever shrinks along a chain of calls. */
  readonly deadlineMs: number;
  /** Aborted when the caller cancels, is gone, or the deadline passes. */
  readonly signal: AbortSignal;
  /** SPIFFE id of the calling service: "spiffe://weft.local/order". */
  readonly peer: string | undefined;
  readonly endUser: EndUser | undefined;
  /** IP address of the caller outside, as far as our own proxies vouch for it. Known at the public edge only. */
  readonly clientAddress?: string | undefined;
  /** The person behind an operator's certificate, as the caller says: a claim. */
  readonly claimedOperator?: string | undefined;
  /** The caller's idempotency key, if it sent one and the contract says that the method takes one. */
  readonly idempotencyKey?: string | undefined;
  /**
   * Calls that are made here carry the key on, those whose contract takes one: at the public server. One hop: what such a call asks of others
   * has keys of its own.
   */
  readonly passesKeyOn?: boolean;
  /** Set while withFallback() runs: what it does without the answer of a call made here. */
  readonly fallback?: FallbackScope | undefined;
  /**
   * Which attempt of a caller's, or of its callers', this is part of: 1 if left out. Above 1 the calls made here are not repeated: who
   * repeats them is above already.
   */
  readonly attempt?: number | undefined;
  /** As the chain's first method has it; undefined if nobody above has said. */
  readonly criticality?: Criticality | undefined;
  /**
   * Set when a call made here has failed for good although it was repeated, or might have been had there been budget: should this one
   * fail, its caller is told not to repeat it. So of a chain only the hop next to the failure repeats.
   */
  retriesSpent?: boolean;
  /** OpenTelemetry's context: the current span. */
  readonly otel: Context;
  /** The place in a trace that nobody records: `otel` says the same, but is made only when somebody asks for it. */
  readonly trace?: TraceIds | undefined;
  /** What `signal` is made of, for whoever can do without one: a call made here, say. */
  readonly cancellation?: CancelSource | undefined;
}

/** A declared fallback around calls; the calls that are made in it report to it. */
export interface FallbackScope {
  readonly name: string;
  /** Counts the fallback; given by the first call that is made, which knows where to count. */
  count?: (() => void) | undefined;
}

const ambient = new AsyncLocalStorage<CallContext>();

/** The context of the call being handled, or undefined outside of one. */
export function currentCall(): CallContext | undefined {
  return ambient.getStore();
}

/** The signal of the call being handled, or undefined outside of one. */
export function currentSignal(): AbortSignal | undefined {
  return ambient.getStore()?.signal;
}

/** OpenTelemetry's context here: the current span's, or the root. */
export function currentOtelContext(): Context {
  return ambient.getStore()?.otel ?? ROOT_CONTEXT;
}

/** The person on whose behalf the call is made. @throws ConnectError UNAUTHENTICATED if there is none */
export function requireEndUser(): EndUser {
  const endUser = ambient.getStore()?.endUser;
  if (endUser === undefined) {
    throw rpcError(Code.Unauthenticated, "this method acts for a customer: log in and send the access token", {
      reason: "END_USER_REQUIRED",
      domain: "weft",
    });
  }
  return endUser;
}

/** Runs fn inside the given context; undefined for none. */
export function runInContext<T>(context: CallContext | undefined, fn: () => T): T {
  return context === undefined ? ambient.exit(fn) : ambient.run(context, fn);
}

/** Runs fn with parts of the context replaced. */
export function runAs<T>(changes: Partial<CallContext>, fn: () => T): T {
  return ambient.run(new DerivedContext(ambient.getStore(), changes), fn);
}

/**
 * Runs fn for as long as it takes, but at most timeoutMs, whatever becomes of the caller: trace and identity stay, the caller's
 * deadline, cancellation and idempotency key do not reach it. For what must go on once it is durable.
 */
export async function runDetached<T>(options: { readonly timeoutMs: number }, fn: () => Promise<T>): Promise<T> {
  const source = new CancelSource();
  const callOff = source.cancelAfter(options.timeoutMs, () => deadlineExceeded(options.timeoutMs));
  const changes = { deadlineMs: Date.now() + options.timeoutMs, cancellation: source, idempotencyKey: undefined };
  try {
    return await runAs(changes, fn);
  } finally {
    callOff();
  }
}

/** The error of a call whose time has run out. */
export function deadlineExceeded(timeoutMs?: number): ConnectError {
  const within = timeoutMs === undefined ? "" : ` of ${Math.round(timeoutMs)} ms`;
  return rpcError(Code.DeadlineExceeded, `the deadline${within} has passed`);
}

/** A context with parts of it replaced. */
class DerivedContext implements CallContext {
  readonly method: string;
  readonly deadlineMs: number;
  readonly peer: string | undefined;
  readonly endUser: EndUser | undefined;
  readonly clientAddress: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly passesKeyOn: boolean;
  readonly fallback: FallbackScope | undefined;
  readonly attempt: number;
  readonly criticality: Criticality | undefined;
  readonly trace: TraceIds | undefined;
  readonly #base: CallContext | undefined;
  readonly #changes: Partial<CallContext>;

  constructor(base: CallContext | undefined, changes: Partial<CallContext>) {
    this.method = changes.method ?? base?.method ?? "";
    this.deadlineMs = changes.deadlineMs ?? base?.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.peer = "peer" in changes ? changes.peer : base?.peer;
    this.endUser = "endUser" in changes ? changes.endUser : base?.endUser;
    this.clientAddress = changes.clientAddress ?? base?.clientAddress;
    this.idempotencyKey = "idempotencyKey" in changes ? changes.idempotencyKey : base?.idempotencyKey;
    this.passesKeyOn = changes.passesKeyOn ?? base?.passesKeyOn ?? false;
    this.fallback = "fallback" in changes ? changes.fallback : base?.fallback;
    this.attempt = changes.attempt ?? base?.attempt ?? 1;
    this.criticality = changes.criticality ?? base?.criticality;
    this.trace = changes.otel ? changes.trace : (changes.trace ?? base?.trace);
    this.#base = base;
    this.#changes = changes;
  }
  /** Here and below: few ask. */
  get otel(): Context {
    const { otel, trace } = this.#changes;
    return otel ?? (trace && otelContextOf(trace)) ?? this.#base?.otel ?? ROOT_CONTEXT;
  }
  get cancellation(): CancelSource | undefined {
    const { cancellation, signal } = this.#changes;
    return cancellation ?? (signal ? undefined : this.#base?.cancellation);
  }
  get claimedOperator(): string | undefined {
    return this.#changes.claimedOperator ?? this.#base?.claimedOperator;
  }
  /** Of the call being handled, whatever part of it is replaced here. */
  get retriesSpent(): boolean {
    return this.#base?.retriesSpent ?? false;
  }
  set retriesSpent(spent: boolean) {
    if (this.#base) this.#base.retriesSpent = spent;
  }
  /** Made when somebody asks for it, which most handlers never do. */
  get signal(): AbortSignal {
    const { cancellation, signal } = this.#changes;
    return signal ?? cancellation?.signal ?? this.#base?.signal ?? neverAborted;
  }
}

const neverAborted = new AbortController().signal;
