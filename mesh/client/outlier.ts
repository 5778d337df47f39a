import type { Random } from "../contract/clock.ts";

/** Failures in a row that eject an endpoint. */
const consecutiveFailures = 5;
/** Share of failed calls that ejects it, of at least callsMin in the window. */
const failureRate = 0.5;
const callsMin = 10;
/** The window is the slice that runs and the one before. */
const sliceMs = 5_000;
/** How long it is left alone the first time; each further time twice as long. */
export const ejectionMs = { first: 1_000, max: 30_000 };
/** Each ejection is longer or shorter by up to this share, so that a thousand clients do not probe at one moment. */
const jitter = 0.1;
/** Well for that long, it is taken for mended: its next ejection is a first one. */
const forgetAfterMs = 60_000;
/** How long a probe may take before another is made. */
const probeTimeoutMs = 5_000;

/** Calls and failures of the last seconds. Slices begin at the same moments in all windows, so that these can be compared. */
export class FailureWindow {
  #slice = 0;
  #calls = 0;
  #failures = 0;
  #callsBefore = 0;
  #failuresBefore = 0;

  get calls(): number {
    return this.#calls + this.#callsBefore;
  }
  get failures(): number {
    return this.#failures + this.#failuresBefore;
  }

  record(nowMs: number, failed: boolean): void {
    this.#moveTo(nowMs);
    this.#calls += 1;
    if (failed) this.#failures += 1;
  }

  /** Moves what a part of it holds out of both: that part begins anew. */
  forget(nowMs: number, part: FailureWindow): void {
    this.#moveTo(nowMs);
    part.#moveTo(nowMs);
    this.#calls -= part.#calls;
    this.#failures -= part.#failures;
    this.#callsBefore -= part.#callsBefore;
    this.#failuresBefore -= part.#failuresBefore;
    part.#calls = part.#failures = part.#callsBefore = part.#failuresBefore = 0;
  }

  #moveTo(nowMs: number): void {
    const slice = Math.floor(nowMs / sliceMs);
    if (slice === this.#slice) return;
    const isNext = slice === this.#slice + 1;
    this.#callsBefore = isNext ? this.#calls : 0;
    this.#failuresBefore = isNext ? this.#failures : 0;
    this.#calls = this.#failures = 0;
    this.#slice = slice;
  }
}

/** What became of an endpoint by a call's outcome. */
export type OutlierEvent = "failing" | "readmitted" | "ejected again" | undefined;

/**
 * Whether one endpoint fails so much more than the others that it is better left alone for a while: by failures in a row,
 * or by their rate. After a time it is asked whether it is well, and then a single call decides. It only judges: how many may
 * be out at once is the balancer's to say.
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
 */
export class Outlier {
  readonly window = new FailureWindow();
  #inARow = 0;
  #ejections = 0;
  #isEjected = false;
  #ejectedAtMs = 0;
  /** The end of the ejection, or of the last probe's time. */
  #probeDueAtMs = 0;
  #readmittedAtMs = Number.NEGATIVE_INFINITY;

  get isEjected(): boolean {
    return this.#isEjected;
  }
  /** When the next call may go there; meaningful while ejected. */
  get probeDueAtMs(): number {
    return this.#probeDueAtMs;
  }

  eject(nowMs: number, random: Random, forMaxMs = ejectionMs.max): void {
    if (!this.#isEjected && nowMs - this.#readmittedAtMs > forgetAfterMs) this.#ejections = 0;
    const forMs = Math.min(forMaxMs, ejectionMs.first * 2 ** this.#ejections);
    this.#ejections += 1;
    this.#isEjected = true;
    this.#ejectedAtMs = nowMs;
    this.#probeDueAtMs = nowMs + forMs * (1 + jitter * (2 * random() - 1));
  }

  /** A call is sent there although it is ejected: no other until it is answered, or has taken too long. */
  probe(nowMs: number): void {
    this.#probeDueAtMs = nowMs + probeTimeoutMs;
  }

  /** @param all as in record() */
  readmit(nowMs: number, all: FailureWindow): void {
    this.#isEjected = false;
    this.#readmittedAtMs = nowMs;
    // It has to show by a call that it is well: the first one that fails is enough.
    this.#inARow = consecutiveFailures - 1;
    all.forget(nowMs, this.window);
  }

  /**
   * Learns from a call that said something of the endpoint.
   *
   * @param all the window of all endpoints of the service; told by this
   */
  record(nowMs: number, startedAtMs: number, failed: boolean, all: FailureWindow): OutlierEvent {
    if (this.#isEjected) {
      // Calls from before the ejection tell nothing new.
      if (startedAtMs < this.#ejectedAtMs) return undefined;
      return failed ? "ejected again" : "readmitted";
    }
    this.window.record(nowMs, failed);
    all.record(nowMs, failed);
    this.#inARow = failed ? this.#inARow + 1 : 0;
    return failed && this.#isFailing() && this.#isWorseThanOthers(all) ? "failing" : undefined;
  }

  /** A probe told nothing: the next call may be one. */
  nothingLearnt(nowMs: number, startedAtMs: number): void {
    if (this.#isEjected && startedAtMs >= this.#ejectedAtMs) this.#probeDueAtMs = nowMs;
  }

  #isFailing(): boolean {
    if (this.#inARow >= consecutiveFailures) return true;
    const { calls, failures } = this.window;
    return calls >= callsMin && failures >= calls * failureRate;
  }

  /** Where all fail alike the fault is not this endpoint's, and leaving it alone would help nobody. */
  #isWorseThanOthers(all: FailureWindow): boolean {
    const calls = all.calls - this.window.calls;
    const failures = all.failures - this.window.failures;
    if (calls < consecutiveFailures) return true;
    const own = this.#inARow >= consecutiveFailures ? 1 : this.window.failures / this.window.calls;
    return failures / calls < own * 0.9;
  }
}
