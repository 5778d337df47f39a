import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import {
  type Context,
  INVALID_SPAN_CONTEXT,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { inContext } from "../context/ambient-iterable.ts";
import { baggageHeader, firstOfChain, parseBaggage } from "../context/baggage.ts";
import { type CallContext, deadlineExceeded, type EndUser, runAs, runInContext } from "../context/call-context.ts";
import type { CancelSource } from "../context/cancel-source.ts";
import { cancellable, cancelled } from "../context/cancellable.ts";
import { operatorHeader, parseOperator } from "../context/operator-header.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import type { Criticality } from "../contract/criticality.ts";
import { meaningOf, rpcError } from "../contract/errors.ts";
import { statusName } from "../contract/grpc-status.ts";
import type { MethodPolicy } from "../contract/policy.ts";
import { forbidRetry } from "../contract/pushback.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import { failSpan, type Telemetry, withSpan } from "../telemetry/telemetry.ts";
import { authorizeEndUser } from "./authorize.ts";
import { createCallsInHand } from "./calls-in-hand.ts";
import { keyInMetadata, requireSameKey } from "./idempotency-key.ts";
import type { RequestValidation } from "./request-validation.ts";
import { visibleError } from "./visible-error.ts";

/** A call as any of the ways in (gRPC, in-process, the public edge) hands it to the pipeline. */
export interface IncomingCall {
  readonly method: DescMethod;
  readonly policy: MethodPolicy;
  readonly headers: Headers;
  /** One header's value: most calls need few of them, and Headers are dear to make. */
  readonly header: (name: string) => string | null;
  /** The caller's deadline, milliseconds since the epoch; Infinity if it named none. */
  readonly deadlineMs: number;
  /** The way in cancels the call at its caller's deadline by itself. */
  readonly endsAtDeadline?: boolean;
  /** From outside the mesh: the trace that the caller names is linked to, not gone on with; what it says of its chain is nothing to us. */
  readonly fromOutside?: boolean;
  /** SPIFFE id of the caller, as its certificate proves. */
  readonly peer: string | undefined;
  /** Whoever calls this way must be somebody; at the edge and for probes nobody is. */
  readonly needsPeer?: boolean;
  /** A function at the edge, where a token must be verified first; it may reject. */
  readonly endUser: EndUser | undefined | (() => Promise<EndUser | undefined>);
  /** IP address of a caller outside; known at the public edge only. */
  readonly clientAddress?: string | undefined;
  readonly cancel: CancelSource;
  /** Told the id under which logs and traces know the call. */
  readonly onTrace?: (traceId: string) => void;
}

type Input = MessageShape<DescMethod["input"]>;

/** The server's way of a call: identify, authorize, admit, validate, the handler inside its context, map errors, observe. */
export interface ServerPipeline {
  /** @throws ConnectError, always: what the caller is to see */
  unary<O>(
    call: IncomingCall,
    read: () => Input,
    invoke: (input: Input, context: CallContext) => Promise<O>,
  ): Promise<O>;
  /** The answers; they end with a ConnectError, always, if the call fails. Must be read or cancelled, or the call stays in hand. */
  stream<O>(
    call: IncomingCall,
    inputs: AsyncIterable<Input>,
    invoke: (inputs: AsyncIterable<Input>, context: CallContext) => AsyncIterable<O>,
  ): AsyncIterable<O>;
  /** Refuses new calls but probes, and waits for those in hand; what is left after timeoutMs is cancelled. */
  drain(timeoutMs: number): Promise<void>;
}

export interface ServerPipelineOptions {
  readonly telemetry: Telemetry;
  readonly validate: RequestValidation;
  readonly clock?: Clock;
}

interface OpenCall {
  /** Identifies, authorizes and admits the call: the context for its handler. @throws ConnectError */
  enter(): Promise<CallContext>;
  /** Records the outcome, the first that it is told; returns what the caller is to see. */
  close(error?: unknown): ConnectError | undefined;
}

/** Creates the pipeline that every call to a server goes through, whichever way it came. */
export function createServerPipeline(options: ServerPipelineOptions): ServerPipeline {
  const { telemetry, validate, clock = systemClock } = options;
  const duration = createDurationHistogram(telemetry.meter, "rpc.server.call.duration", "Calls handled");
  const callHasEnded = rpcError(Code.Canceled, "the call is over");
  const inHand = createCallsInHand(clock);
  telemetry.meter
    .createObservableUpDownCounter("weft.server.active_calls", { description: "Calls in hand, probes apart" })
    .addCallback((result) => result.observe(inHand.count));

  const open = (call: IncomingCall): OpenCall => {
    const { policy, cancel } = call;
    const startedAt = clock.monotonic();
    const now = clock.now();
    const deadlineMs = Math.min(call.deadlineMs, now + policy.timeoutMs);
    const { parent, links } = traceOf(call, telemetry.extract(traceHeaders(call)));
    const probe = policy.path.startsWith("grpc.health.v1.");
    // Probes ask every few seconds: their spans would bury everybody else's.
    const span = probe
      ? trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
      : telemetry.startSpan(policy.path, { kind: SpanKind.SERVER, parent, links, attributes: spanAttributes(call) });
    // Where the way in ends the call at the caller's deadline, a timer is needed only for an earlier one.
    const timed = !(call.endsAtDeadline && deadlineMs === call.deadlineMs);
    const callOffDeadline = timed
      ? cancel.cancelAfter(deadlineMs - now, () => deadlineExceeded(deadlineMs - now))
      : undefined;
    const otel = withSpan(parent, span);
    call.onTrace?.(span.spanContext().traceId);
    const remove = probe ? undefined : inHand.add({ streaming: policy.kind !== "unary", deadlineMs, cancel });
    let context: CallContext | undefined;
    let closed = false;
    let visible: ConnectError | undefined;
    return {
      async enter() {
        if (!probe) inHand.admit();
        if (call.needsPeer && call.peer === undefined) throw unknownPeer();
        const who = call.endUser;
        const endUser = typeof who === "function" ? await cancelled(cancel, runAs({ otel }, who)) : who;
        authorizeEndUser(policy, endUser);
        if (cancel.reason) throw cancel.reason;
        if (deadlineMs <= clock.now()) throw deadlineExceeded();
        context = new HandlerCallContext(call, endUser, deadlineMs, otel, keyInMetadata(call));
        return context;
      },
      close(thrown) {
        if (closed) return visible;
        closed = true;
        callOffDeadline?.();
        remove?.();
        visible = thrown === undefined ? undefined : visibleError(thrown, call);
        if (visible && context?.retriesSpent && meaningOf(visible.code).retryable) forbidRetry(visible);
        const status = statusName(visible?.code ?? 0);
        const seconds = (clock.monotonic() - startedAt) / 1000;
        duration.record(seconds, {
          "rpc.system.name": "grpc",
          "rpc.method": policy.path,
          "rpc.status_code": status,
        });
        endSpan(span, status, visible);
        if (visible) log(telemetry, call, visible, thrown, seconds, otel);
        return visible;
      },
    };
  };

  return {
    async unary(call, read, invoke) {
      const { enter, close } = open(call);
      try {
        const context = await enter();
        const input = read();
        validate(call.method.input, input);
        requireSameKey(call, input);
        const output = await cancelled(
          call.cancel,
          runInContext(context, () => invoke(input, context)),
        );
        close();
        return output;
      } catch (error) {
        throw close(error) ?? error;
      } finally {
        call.cancel.cancel(callHasEnded);
      }
    },
    stream(call, inputs, invoke) {
      const opened = open(call);
      // Of a cancelled stream perhaps nobody reads on: Connect's client tells no iterator that it is left.
      call.cancel.onCancel((reason) => opened.close(reason));
      return streamed(call, opened, callHasEnded, (context) => invoke(validated(call, inputs, validate), context));
    },
    drain: (timeoutMs) => inHand.drain(timeoutMs),
  };
}

async function* streamed<O>(
  call: IncomingCall,
  { enter, close }: OpenCall,
  callHasEnded: ConnectError,
  invoke: (context: CallContext) => AsyncIterable<O>,
): AsyncIterable<O> {
  try {
    const context = await enter();
    yield* cancellable(inContext(context, invoke(context)), call.cancel);
    close();
  } catch (error) {
    throw close(error) ?? error;
  } finally {
    // Reached while still open only if whoever reads the answers stopped before their end.
    call.cancel.cancel(callHasEnded);
  }
}

class HandlerCallContext implements CallContext {
  readonly method: string;
  readonly deadlineMs: number;
  readonly peer: string | undefined;
  readonly endUser: EndUser | undefined;
  readonly clientAddress: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly passesKeyOn: boolean;
  readonly attempt: number;
  readonly criticality: Criticality | undefined;
  readonly otel: Context;
  retriesSpent = false;
  readonly #call: IncomingCall;

  constructor(
    call: IncomingCall,
    endUser: EndUser | undefined,
    deadlineMs: number,
    otel: Context,
    idempotencyKey: string | undefined,
  ) {
    this.method = call.policy.path;
    this.deadlineMs = deadlineMs;
    this.peer = call.peer;
    this.endUser = endUser;
    this.clientAddress = call.clientAddress;
    this.idempotencyKey = idempotencyKey;
    this.passesKeyOn = call.fromOutside ?? false;
    const chain = call.fromOutside ? firstOfChain : parseBaggage(call.header(baggageHeader));
    this.attempt = chain.attempt;
    this.criticality = chain.criticality;
    this.otel = otel;
    this.#call = call;
  }
  get claimedOperator(): string | undefined {
    return parseOperator(this.#call.header(operatorHeader));
  }
  get signal(): AbortSignal {
    return this.#call.cancel.signal;
  }
}

async function* validated(
  call: IncomingCall,
  inputs: AsyncIterable<Input>,
  validate: RequestValidation,
): AsyncIterable<Input> {
  // A handler that waits for a message of a caller who has left would wait for ever.
  for await (const input of cancellable(inputs, call.cancel)) {
    validate(call.method.input, input);
    requireSameKey(call, input);
    yield input;
  }
}

function unknownPeer(): ConnectError {
  return rpcError(Code.Unauthenticated, "your certificate names no service of this mesh", {
    reason: "PEER_UNKNOWN",
    domain: "weft",
  });
}

function spanAttributes(call: IncomingCall): Record<string, string> {
  return {
    "rpc.system.name": "grpc",
    "rpc.method": call.policy.path,
    ...(call.peer && { "weft.peer": call.peer }),
    ...(call.clientAddress && { "client.address": call.clientAddress }),
  };
}

function endSpan(span: Span, status: string, error: ConnectError | undefined): void {
  span.setAttribute("rpc.status_code", status);
  if (error && meaningOf(error.code).endpointFailure) failSpan(span, error);
  span.end();
}

function log(
  { logger }: Telemetry,
  call: IncomingCall,
  error: ConnectError,
  thrown: unknown,
  seconds: number,
  otel: Context,
): void {
  const { logLevel } = meaningOf(error.code);
  const fields = {
    method: call.policy.path,
    code: statusName(error.code),
    detail: error.rawMessage,
    duration_ms: Math.round(seconds * 1e6) / 1000,
    ...(call.peer && { peer: call.peer }),
    ...(call.clientAddress && { client_address: call.clientAddress }),
    ...(logLevel === "error" && { error: thrown }),
  };
  runAs({ otel }, () => logger[logLevel](`${call.policy.path} answered ${fields.code}`, fields));
}

/**
 * The trace that a call belongs to. Outside, anybody could choose its id and with it whose logs it stands among, and that it
 * is recorded: there it is one of our own.
 */
function traceOf({ fromOutside }: IncomingCall, caller: Context): { parent: Context; links: Link[] } {
  if (!fromOutside) return { parent: caller, links: [] };
  const context = trace.getSpanContext(caller);
  return { parent: ROOT_CONTEXT, links: context ? [{ context }] : [] };
}

function traceHeaders({ header }: IncomingCall): Record<string, string> {
  const traceparent = header("traceparent");
  const tracestate = header("tracestate");
  return { ...(traceparent && { traceparent }), ...(tracestate && { tracestate }) };
}
