import { type Clock, systemClock } from "../contract/clock.ts";

/** Calls that earn one repetition: retries and hedges are at most a tenth of the calls, and what the floor allows. */
const callsPerRetry = 10;
/** Retries that a client may always make: it begins with so many, and gets them back at floorPerSecond. */
const floor = 10;
const floorPerSecond = 1;
/** The most that is saved up for a bad moment: an instance that dies with a hundred calls in its hands. */
const capacity = 100;

/**
 * Bounds what a client adds to the load of a target: a token bucket that calls fill and that retries and hedges empty. In any
 * time the repetitions are at most a tenth of the calls, 10 at first, 1 a second, and what was saved up, never above 100.
 *
 * @see https://finagle.github.io/blog/2016/02/08/retry-budgets/
 */
export interface RetryBudget {
  /** A call is made, its repetitions apart. */
  earn(): void;
  /** Takes what one repetition costs; false if there is not so much. */
  spend(): boolean;
  /** Repetitions that could be made now. */
  readonly balance: number;
}

/** Creates the budget of one client for one target. */
export function createRetryBudget(clock: Clock = systemClock): RetryBudget {
  return new TokenBucket(clock);
}

class TokenBucket implements RetryBudget {
  readonly #clock: Clock;
  /** In calls, so that the sums are exact. */
  #saved = floor * callsPerRetry;
  #refilledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refilledAt = clock.monotonic();
  }
  earn(): void {
    this.#saved = Math.min(capacity * callsPerRetry, this.#saved + 1);
  }
  spend(): boolean {
    this.#refill();
    if (this.#saved < callsPerRetry) return false;
    this.#saved -= callsPerRetry;
    return true;
  }
  get balance(): number {
    this.#refill();
    return this.#saved / callsPerRetry;
  }
  /** Only asked for after a failure: a call that goes well costs an addition. */
  #refill(): void {
    const now = this.#clock.monotonic();
    const gained = ((now - this.#refilledAt) / 1_000) * floorPerSecond * callsPerRetry;
    this.#refilledAt = now;
    if (this.#saved < floor * callsPerRetry) this.#saved = Math.min(floor * callsPerRetry, this.#saved + gained);
  }
}
