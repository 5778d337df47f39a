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
  /** Begins a call whose outcome is told later, a stream. Call only if admits(). */
  begin(): Trial;
}

/** A call that a breaker learns from. Only the first thing that it is told counts. */
export interface Trial {
  /** The endpoint has taken the call: enough for a probe, which others wait for; else its end decides. */
  opened(): void;
  ended(error?: unknown, hurried?: boolean): void;
}

/** What a call's outcome says of its endpoint: whoever answers is well, even with an error of another's making. */
type Verdict = "well" | "ill" | "unknown";

interface Outcome<T> {
  readonly verdict: Verdict;
  readonly value?: T;
  readonly error?: unknown;
}

/**
 * Creates a breaker (cockatiel's). What counts as a failure of the endpoint is DESIGN.md's error table.
 *
 * @param onChange is told of each change of state
 */
export function createBreaker(onChange: (state: BreakerState) => void = () => undefined): Breaker {
  let waitMs = 0;
  let probeDueAt = 0;
  const policy = circuitBreaker(
    handleWhenResult((outcome) => (outcome as Outcome<unknown>).verdict === "ill"),
    {
      breaker: new TripRule(),
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

  const begin = (whenQuiet: Verdict): Trial => {
    const probe = policy.state !== CircuitState.Closed;
    const told = Promise.withResolvers<Outcome<never>>();
    const tell = (verdict: Verdict): void => {
      clearTimeout(timer);
      if (verdict !== "unknown") told.resolve({ verdict });
      // cockatiel counts neither way what is thrown; but a probe that told nothing must not close the breaker.
      else if (probe) told.resolve({ verdict: "ill" });
      else told.reject(new Error("nothing is known of the endpoint"));
    };
    const timer = probe ? setTimeout(tell, probeTimeoutMs, whenQuiet) : undefined;
    timer?.unref();
    policy.execute(() => told.promise).catch(() => undefined);
    return {
      opened: () => (probe ? tell("well") : undefined),
      ended: (error, hurried) => tell(error === undefined ? "well" : verdictOf(error, hurried)),
    };
  };

  return {
    get state() {
      return stateName(policy.state);
    },
    admits() {
      if (policy.state === CircuitState.Closed) return true;
      // Half-open means that the probe is under way. cockatiel would let further calls wait for it; ours go elsewhere.
      return policy.state === CircuitState.Open && Date.now() >= probeDueAt;
    },
    begin: () => begin("well"),
    async execute<T>(call: () => Promise<T>, hurried?: boolean) {
      if (policy.state !== CircuitState.Closed) return await tried(call, begin("ill"), hurried);
      const { error, value } = await policy.execute(() => outcomeOf(call, hurried));
      if (error !== undefined) throw error;
      return value as T;
    },
  };
}

async function tried<T>(call: () => Promise<T>, trial: Trial, hurried?: boolean): Promise<T> {
  try {
    const value = await call();
    trial.ended();
    return value;
  } catch (error) {
    trial.ended(error, hurried);
    throw error;
  }
}

/** @throws what says nothing of the endpoint */
async function outcomeOf<T>(call: () => Promise<T>, hurried?: boolean): Promise<Outcome<T>> {
  try {
    return { verdict: "well", value: await call() };
  } catch (error) {
    const verdict = verdictOf(error, hurried);
    if (verdict === "unknown") throw error;
    return { verdict, error };
  }
}

function verdictOf(error: unknown, hurried = false): Verdict {
  if (!(error instanceof ConnectError) || error.code === Code.Canceled) return "unknown";
  if (hurried && error.code === Code.DeadlineExceeded) return "unknown";
  return meaningOf(error.code).endpointFailure ? "ill" : "well";
}

function stateName(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "closed";
  return state === CircuitState.HalfOpen ? "half-open" : "open";
}
