import { type CircuitState, ConsecutiveBreaker, type IBreaker, SamplingBreaker } from "cockatiel";

/** Failures in a row that open a breaker. */
const consecutiveFailures = 5;
/** Share of failed calls that opens it, over windowMs and at least callsPerSecond. */
const failureRate = 0.5;
const windowMs = 2_000;
const callsPerSecond = 5;

/** Opens on several failures in a row, or when half of the calls fail: a dead endpoint and an ill one. */
export class TripRule implements IBreaker {
  readonly #row = new ConsecutiveBreaker(consecutiveFailures);
  readonly #rate = new SamplingBreaker({ threshold: failureRate, duration: windowMs, minimumRps: callsPerSecond });

  get state(): unknown {
    return [this.#row.state, this.#rate.state];
  }
  set state(value: unknown) {
    if (!Array.isArray(value)) return;
    [this.#row.state, this.#rate.state] = value;
  }

  success(state: CircuitState): void {
    this.#row.success();
    this.#rate.success(state);
  }

  failure(state: CircuitState): boolean {
    // Each rule must see each failure, so no short cut.
    const inRow = this.#row.failure();
    return this.#rate.failure(state) || inRow;
  }
}
