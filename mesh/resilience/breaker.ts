import { Code, ConnectError } from "@connectrpc/connect";
import { type CircuitBreakerPolicy, CircuitState, circuitBreaker, DelegateBackoff, handleWhenResult } from "cockatiel";
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
  return new PolicyBreaker(onChange);
}

/** A class, since there are many of them: V8 makes a slow dictionary of every further object literal with a getter. */
class PolicyBreaker implements Breaker {
  readonly #rule = new TripRule();
  readonly #policy: CircuitBreakerPolicy;
  readonly #whileClosed: Trial;
  #waitMs = 0;
  #probeDueAt = 0;

  constructor(onChange: (state: BreakerState) => void) {
    this.#policy = circuitBreaker(
      handleWhenResult((verdict) => verdict === "ill"),
      {
        breaker: this.#rule,
        halfOpenAfter: new DelegateBackoff(({ attempt }) => {
          this.#waitMs = Math.min(probeAfterMs.max, probeAfterMs.initial * 2 ** (attempt - 1));
          return this.#waitMs;
        }),
      },
    );
    this.#policy.onStateChange((state) => {
      if (state === CircuitState.Open) this.#probeDueAt = Date.now() + this.#waitMs;
      onChange(stateName(state));
    });
    this.#whileClosed = new TrialWhileClosed(this.#policy, this.#rule);
  }

  get state(): BreakerState {
    return stateName(this.#policy.state);
  }

  admits(): boolean {
    const { state } = this.#policy;
    if (state === CircuitState.Closed) return true;
    // Half-open means that the probe is under way. cockatiel would let further calls wait for it; ours go elsewhere.
    return state === CircuitState.Open && Date.now() >= this.#probeDueAt;
  }

  begin(kind: "unary" | "streaming"): Trial {
    if (this.#policy.state === CircuitState.Closed) return this.#whileClosed;
    return probe(this.#policy, kind === "unary" ? "ill" : "well");
  }

  async execute<T>(call: () => Promise<T>, hurried?: boolean): Promise<T> {
    const trial = this.begin("unary");
    try {
      const value = await call();
      trial.ended();
      return value;
    } catch (error) {
      trial.ended(error, hurried);
      throw error;
    }
  }
}

/** What cockatiel's execute() does around a call in the closed state, without its promises: four for each call. */
class TrialWhileClosed implements Trial {
  readonly #policy: CircuitBreakerPolicy;
  readonly #rule: TripRule;

  constructor(policy: CircuitBreakerPolicy, rule: TripRule) {
    this.#policy = policy;
    this.#rule = rule;
  }
  opened(): void {
    // A stream's end decides.
  }
  ended(error?: unknown, hurried?: boolean): void {
    const verdict = error === undefined ? "well" : verdictOf(error, hurried);
    if (verdict === "well") this.#rule.success(CircuitState.Closed);
    else if (verdict === "unknown") return;
    else if (this.#policy.state === CircuitState.Closed) this.#policy.execute(() => verdict).catch(() => undefined);
    // It has opened meanwhile: this is no probe.
    else this.#rule.failure(CircuitState.Closed);
  }
}

/** Begins the probe that is due. */
function probe(policy: CircuitBreakerPolicy, whenQuiet: Verdict): Trial {
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
