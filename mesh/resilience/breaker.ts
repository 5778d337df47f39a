import { Code, ConnectError } from "@connectrpc/connect";
import { CircuitState, circuitBreaker, DelegateBackoff, handleWhenResult } from "cockatiel";
import { meaningOf } from "../contract/errors.ts";
import { TripRule } from "./trip-rule.ts";

/** How long an open breaker waits before its first probe, and at most between probes. */
const probeAfterMs = { initial: 500, max: 2_000 };

/** How long a probe may take to say something: others wait for it. Then silence is a unary call's failure, not a stream's. */
const probeTimeoutMs = 5_000;

/** ErrorInfo reason of a call that no breaker let through. */
export const breakerOpenReason = "BREAKER_OPEN";

export type BreakerState = "closed" | "open" | "half-open";

/** One breaker as an operator sees it. */
export interface BreakerStatus {
  /** The called service's name on the mesh. */
  readonly target: string;
  readonly endpoint: string;
  /** "package.Service/Method". */
  readonly method: string;
  readonly state: BreakerState;
}

/** Stops calls to a method of an endpoint that keeps failing, and lets one probe at a time find out whether it is well. */
export interface Breaker {
  readonly state: BreakerState;
  /** Whether a call would be let through now: closed, or the one probe that is due. */
  admits(): boolean;
  /**
   * Runs a call and learns from its outcome. Call only if admits().
   *
   * @param hurried the call has less time than the endpoint may take: that it runs out says nothing
   */
  execute<T>(call: () => Promise<T>, hurried?: boolean): Promise<T>;
  /** Begins a call whose outcome is told later. Call only if admits(). While the breaker is closed, all calls share one trial. */
  begin(kind: "unary" | "streaming"): Trial;
}

/** A call that a breaker learns from. */
export interface Trial {
  /** The endpoint has taken the call: enough for a probe, which others wait for; else its end decides. */
  opened(): void;
  /** Tells of the call's end; once. */
  ended(error?: unknown, hurried?: boolean): void;
}

/** What a call's outcome says of its endpoint: whoever answers is well, even with an error of another's making. */
export type Verdict = "well" | "ill" | "unknown";

/**
 * Creates a breaker (cockatiel's). What counts as a failure of the endpoint is DESIGN.md's error table.
 *
 * @param onChange is told of each change of state
 */
export function createBreaker(onChange: (state: BreakerState) => void = () => undefined): Breaker {
  let waitMs = 0;
  let probeDueAt = 0;
  const rule = new TripRule();
  const policy = circuitBreaker(
    handleWhenResult((verdict) => verdict === "ill"),
    {
      breaker: rule,
      halfOpenAfter: new DelegateBackoff(({ attempt }) => {
        waitMs = Math.min(probeAfterMs.max, probeAfterMs.initial * 2 ** (attempt - 1));
        return waitMs;
      }),
    },
  );
  policy.onStateChange((state) => {
    if (state === CircuitState.Open) probeDueAt = Date.now() + waitMs;
    onChange(stateName(state));
  });

  // What cockatiel's execute() does around a call in the closed state, without its promises: four for each call.
  const whileClosed: Trial = {
    opened: () => undefined,
    ended(error, hurried) {
      const verdict = error === undefined ? "well" : verdictOf(error, hurried);
      if (verdict === "well") rule.success(CircuitState.Closed);
      else if (verdict === "unknown") return;
      else if (policy.state === CircuitState.Closed) policy.execute(() => verdict).catch(() => undefined);
      // It has opened meanwhile: this is no probe.
      else rule.failure(CircuitState.Closed);
    },
  };

  const probe = (whenQuiet: Verdict): Trial => {
    const told = Promise.withResolvers<Verdict>();
    const tell = (verdict: Verdict): void => {
      clearTimeout(timer);
      // cockatiel would take a probe that told nothing for a good one: it must not close the breaker.
      told.resolve(verdict === "unknown" ? "ill" : verdict);
    };
    const timer = setTimeout(tell, probeTimeoutMs, whenQuiet);
    timer.unref();
    policy.execute(() => told.promise).catch(() => undefined);
    return {
      opened: () => tell("well"),
      ended: (error, hurried) => tell(error === undefined ? "well" : verdictOf(error, hurried)),
    };
  };
  const begin: Breaker["begin"] = (kind) =>
    policy.state === CircuitState.Closed ? whileClosed : probe(kind === "unary" ? "ill" : "well");

  return {
    get state() {
      return stateName(policy.state);
    },
    admits() {
      if (policy.state === CircuitState.Closed) return true;
      // Half-open means that the probe is under way. cockatiel would let further calls wait for it; ours go elsewhere.
      return policy.state === CircuitState.Open && Date.now() >= probeDueAt;
    },
    begin,
    async execute<T>(call: () => Promise<T>, hurried?: boolean) {
      const trial = begin("unary");
      try {
        const value = await call();
        trial.ended();
        return value;
      } catch (error) {
        trial.ended(error, hurried);
        throw error;
      }
    },
  };
}

/** @param hurried the call had less time than the endpoint may take: that it ran out says nothing */
export function verdictOf(error: unknown, hurried = false): Verdict {
  if (!(error instanceof ConnectError) || error.code === Code.Canceled) return "unknown";
  if (hurried && error.code === Code.DeadlineExceeded) return "unknown";
  return meaningOf(error.code).endpointFailure ? "ill" : "well";
}

function stateName(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "closed";
  return state === CircuitState.HalfOpen ? "half-open" : "open";
}
