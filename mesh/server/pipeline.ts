import { Code, type ConnectError } from "@connectrpc/connect";
import { inContext } from "../context/ambient-iterable.ts";
import { baggageHeader, parseBaggage } from "../context/baggage.ts";
import { type CallContext, deadlineExceeded, type EndUser, runAs, runInContext } from "../context/call-context.ts";
import { cancellable, cancelled } from "../context/cancellable.ts";
import { type Deadlines, processDeadlines } from "../context/deadlines.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { EncodeScratch } from "../contract/encode-scratch.ts";
import { meaningOf, rpcError } from "../contract/errors.ts";
import { forbidRetry } from "../contract/pushback.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Admission } from "./admission.ts";
import { authorizeEndUser } from "./authorize.ts";
import { createCallsInHand } from "./calls-in-hand.ts";
import { keyInMetadata, requireSameKey } from "./idempotency-key.ts";
import { type CallDriver, type IncomingCall, type Input, Stage, UnaryCall } from "./incoming-call.ts";
import { beginTrace, observeEnd } from "./observe-call.ts";
import type { RequestValidation } from "./request-validation.ts";
import type { Route } from "./routes.ts";
import { prepareRoute, type ServedRoute } from "./served-route.ts";
import { visibleError } from "./visible-error.ts";

/** The server's way of a call: identify, authorize, admit, validate, the handler inside its context, map errors, observe. */
export interface ServerPipeline {
  readonly clock: Clock;
  /** Prepares a route for the calls to it. */
  prepare(route: Route): ServedRoute;
  /** Runs a call; it is told its answer or its error, during this or later. */
  unary(call: UnaryCall): void;
  /** The answers; they end with a ConnectError, always, if the call fails. Must be read or cancelled, or the call stays in hand. */
  stream<O>(
    call: IncomingCall,
    inputs: AsyncIterable<Input>,
    invoke: (inputs: AsyncIterable<Input>) => AsyncIterable<O>,
  ): AsyncIterable<O>;
  /** Refuses new calls but probes, and waits for those in hand; what is left after timeoutMs is cancelled. */
  drain(timeoutMs: number): Promise<void>;
}

/** Decides whether a caller may call a method at all, beside what its contract asks for. @throws ConnectError if it may not */
export type Authorize = (call: CallContext) => void;

export interface ServerPipelineOptions {
  readonly telemetry: Telemetry;
  readonly validate: RequestValidation;
  readonly authorize?: Authorize | undefined;
  /** Everything is let in without it. */
  readonly admission?: Admission | undefined;
  readonly clock?: Clock;
  readonly deadlines?: Deadlines;
}

/** Creates the pipeline that every call to a server goes through, whichever way it came. */
export function createServerPipeline(options: ServerPipelineOptions): ServerPipeline {
  const { telemetry, validate, authorize, admission, clock = systemClock, deadlines = processDeadlines } = options;
  const callHasEnded = rpcError(Code.Canceled, "the call is over");
  const inHand = createCallsInHand(clock);
  const prepared = new Map<Route, ServedRoute>();
  const scratch = new EncodeScratch();
  telemetry.meter
    .createObservableUpDownCounter("weft.server.active_calls", { description: "Calls in hand, probes apart" })
    .addCallback((result) => result.observe(inHand.count));

  /** Observes the call from here on, limits its time, and takes it in hand. @throws ConnectError if the server drains */
  const open = (call: IncomingCall): void => {
    call.driver = driver;
    if (call.deadlineMs !== Number.POSITIVE_INFINITY) deadlines.add(call);
    // Probes ask every few seconds: their spans would bury everybody else's, and they are answered while the server drains.
    if (call.served.probe) return;
    beginTrace(call, telemetry);
    inHand.add(call);
  };

  /** Who calls is known: may he, and is there a point in it? @throws ConnectError if not */
  const authorized = (call: IncomingCall): void => {
    if (call.needsPeer && call.peer === undefined) throw unknownPeer();
    const { policy } = call.served;
    if (policy.requiredScopes.length > 0) authorizeEndUser(policy, call.endUser);
    authorize?.(call);
    if (call.reason !== undefined) throw call.reason;
    if (call.deadlineMs <= call.arrivedMs) throw deadlineExceeded();
    readFacts(call);
  };

  const admit = (call: UnaryCall): void => {
    authorized(call);
    if (admission === undefined || call.served.probe || admission.enter(call)) handle(call);
    else call.stage = Stage.waiting;
  };

  const handle = (call: UnaryCall): void => {
    call.stage = Stage.running;
    const { served } = call;
    const input = call.read();
    if (served.ruled) validate(served.method.input, input);
    if (served.policy.idempotencyKey?.source === "field") requireSameKey(call, input);
    const output = runInContext(call, () => call.invoke(input));
    if (!isPromise(output)) complete(call, output);
    else {
      call.pending = true;
      output.then(
        (value) => {
          settled(call);
          complete(call, value);
        },
        (error: unknown) => {
          settled(call);
          close(call, error);
        },
      );
    }
  };

  const settled = (call: UnaryCall): void => {
    call.pending = false;
    if (call.lingers) admission?.settled(call);
  };

  const complete = (call: UnaryCall, output: unknown): void => {
    if (call.stage === Stage.over) return;
    try {
      call.answer(output as Input);
    } catch (error) {
      close(call, error);
      return;
    }
    end(call, undefined, undefined);
  };

  const close = (call: IncomingCall, thrown: unknown): void => {
    if (call.stage === Stage.over) return;
    const visible = visibleError(thrown, call);
    if (call.retriesSpent && meaningOf(visible.code).retryable) forbidRetry(visible);
    end(call, visible, thrown);
    call.failure = visible;
    if (call instanceof UnaryCall) call.fail(visible);
  };

  const end = (call: IncomingCall, visible: ConnectError | undefined, thrown: unknown): void => {
    const { stage } = call;
    call.stage = Stage.over;
    const endedAtMs = clock.monotonic();
    if (call.nextDue !== undefined) deadlines.remove(call);
    inHand.remove(call);
    if (stage === Stage.running && admission !== undefined && !call.served.probe && !call.streaming) {
      admission.leave(call, endedAtMs, !call.pending);
    }
    observeEnd(call, visible, thrown, endedAtMs - call.startedAtMs, telemetry);
    // What the handler has left behind is told that nobody waits for it.
    call.over(callHasEnded);
  };

  const driver: CallDriver = {
    proceed(call) {
      if (call.stage !== Stage.waiting || !(call instanceof UnaryCall)) return;
      try {
        handle(call);
      } catch (error) {
        close(call, error);
      }
    },
    close,
  };

  const identified = async (call: IncomingCall, who: () => Promise<EndUser | undefined>): Promise<void> => {
    call.endUser = await cancelled(call.cancellation, runAs({ otel: call.otel }, who));
  };

  const enterStream = async (call: IncomingCall): Promise<void> => {
    open(call);
    const { identify } = call;
    if (identify !== undefined) await identified(call, () => identify.call(call));
    authorized(call);
    call.stage = Stage.running;
  };

  async function* streamed<O>(call: IncomingCall, invoke: () => AsyncIterable<O>): AsyncIterable<O> {
    try {
      await enterStream(call);
      yield* cancellable(inContext(call, invoke()), call.cancellation);
      if (call.stage !== Stage.over) end(call, undefined, undefined);
    } catch (error) {
      close(call, error);
      throw call.failure ?? error;
    } finally {
      // Reached while still open only if whoever reads the answers stopped before their end.
      call.cancel(callHasEnded);
    }
  }

  return {
    clock,
    prepare(route) {
      const served = prepared.get(route) ?? prepareRoute(route, telemetry, scratch);
      prepared.set(route, served);
      return served;
    },
    unary(call) {
      try {
        open(call);
        const { identify } = call;
        if (identify === undefined) admit(call);
        else
          identified(call, () => identify.call(call))
            .then(() => admit(call))
            .catch((error: unknown) => close(call, error));
      } catch (error) {
        close(call, error);
      }
    },
    stream: (call, inputs, invoke) => streamed(call, () => invoke(validated(call, inputs, validate))),
    drain: (timeoutMs) => inHand.drain(timeoutMs),
  };
}

function readFacts(call: IncomingCall): void {
  const { policy } = call.served;
  if (policy.idempotencyKey?.source === "metadata") call.idempotencyKey = keyInMetadata(call);
  const baggage = call.fromOutside ? null : call.header(baggageHeader);
  if (baggage !== null) {
    const { attempt, criticality } = parseBaggage(baggage);
    if (attempt > call.attempt) call.attempt = attempt;
    call.criticality ??= criticality;
  }
  // Where nobody above has said it, this method is the first that may.
  call.criticality ??= policy.criticality;
}

async function* validated(
  call: IncomingCall,
  inputs: AsyncIterable<Input>,
  validate: RequestValidation,
): AsyncIterable<Input> {
  // A handler that waits for a message of a caller who has left would wait for ever.
  for await (const input of cancellable(inputs, call.cancellation)) {
    validate(call.served.method.input, input);
    requireSameKey(call, input);
    yield input;
  }
}

/** The error of a peer that is nobody of the mesh. */
export function unknownPeer(): ConnectError {
  return rpcError(Code.Unauthenticated, "your certificate names no service of this mesh", {
    reason: "PEER_UNKNOWN",
    domain: "weft",
  });
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
