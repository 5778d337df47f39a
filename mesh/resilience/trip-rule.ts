import { type CircuitState, ConsecutiveBreaker, type IBreaker, SamplingBreaker } from "cockatiel";

/** Failures in a row that open a breaker. */
const consecutiveFailures = 5;
/** Share of failed calls that opens it, over windowMs and at least callsPerSecond. */
const failureRate = 0.5;
const windowMs = 2_000;
const callsPerSecond = 5;

/** Opens on several failures in a row, or when half of the calls fail: a dead endpoint and an ill one. */
export class TripRule implements IBreaker {
  readonly #rules: readonly IBreaker[] = [
    new ConsecutiveBreaker(consecutiveFailures),
    new SamplingBreaker({ threshold: failureRate, duration: windowMs, minimumRps: callsPerSecond }),
  ];

  get state(): unknown {
    return this.#rules.map((rule) => rule.state);
  }
  set state(values: unknown) {
    if (!Array.isArray(values)) return;
    for (const [index, rule] of this.#rules.entries()) rule.state = values[index];
  }

  success(state: CircuitState): void {
    for (const rule of this.#rules) rule.success(state);
  }

  failure(state: CircuitState): boolean {
    // Each rule must see each failure, so no short cut.
    return this.#rules.map((rule) => rule.failure(state)).includes(true);
  }
}
