import { ConnectError } from "@connectrpc/connect";
import { CircuitState, circuitBreaker, DelegateBackoff, handleWhen } from "cockatiel";
import { meaningOf } from "../contract/errors.ts";
import { TripRule } from "./trip-rule.ts";

/** How long an open breaker waits before its first probe, and at most between probes. */
const probeAfterMs = { initial: 500, max: 2_000 };

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
  /** Runs a call and learns from its outcome. Call only if admits(). */
  execute<T>(call: () => Promise<T>): Promise<T>;
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
    handleWhen((error) => error instanceof ConnectError && meaningOf(error.code).endpointFailure),
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
  return {
    get state() {
      return stateName(policy.state);
    },
    admits() {
      if (policy.state === CircuitState.Closed) return true;
      // Half-open means that the probe is under way. cockatiel would let further calls wait for it; ours go elsewhere.
      return policy.state === CircuitState.Open && Date.now() >= probeDueAt;
    },
    execute: (call) => policy.execute(call),
  };
}

function stateName(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return "closed";
  return state === CircuitState.HalfOpen ? "half-open" : "open";
}
