import type { Verdict } from "../resilience/breaker.ts";

/** Differences below it are the scheduler's noise: between endpoints this fast, calls in hand alone decide. */
export const latencyFloorMs = 1;
/** How much of a higher latency is believed at once: a spike shows with a few answers, a single hiccup does not. */
const riseShare = 0.3;
/** Time constant of the average while answers come. */
const fallMs = 1_000;
/** While none come the estimate fades, so that an endpoint that was slow is tried again now and then. */
const fadeMs = 4_000;
/** Answers of a new endpoint whose latency is not believed yet: they pay for its handshake and its cold code. */
const warmUpAnswers = 8;
/** What a failure or a refusal costs at least and at most, in latency, twice as much each time: who refuses fast must not look fast. */
const failureMs = { min: 20, max: 500 };

/** What a call's outcome says of its endpoint: a breaker's verdict, or that it refused because it has too much to do. */
export type LoadVerdict = Verdict | "loaded";

/**
 * How loaded an endpoint looks from here: calls in hand times latency, as Finagle's peak EWMA has it: latency rises
 * fast and falls slowly. Silence counts as latency, too: a frozen endpoint is left alone as soon as it has said nothing for
 * longer than others take, long before a call to it fails.
 *
 * Mutable and without closures, since each call writes it. All times are monotonic milliseconds.
 *
 * @see https://twitter.github.io/finagle/guide/Clients.html#power-of-two-choices-p2c-least-loaded
 */
export class EndpointLoad {
  /** Calls that wait for an answer. */
  outstanding = 0;
  /** Streams that have been opened: load, but they may rightly be silent. */
  streams = 0;
  #latencyMs = 0;
  #sampledAtMs = 0;
  /** When it last answered, or had nothing to answer. */
  #heardAtMs = 0;
  /** How long those waited in vain that have given up since it last answered: their callers had another answer, or left. */
  #waitedInVainMs = 0;
  #answers = 0;

  begin(nowMs: number): void {
    // Who answers nobody is as silent as if one call had waited all the time: not as fast as they give up.
    if (this.outstanding === 0) this.#heardAtMs = nowMs - this.#waitedInVainMs;
    this.outstanding += 1;
  }

  end(nowMs: number, startedAtMs: number, verdict: LoadVerdict): void {
    this.outstanding -= 1;
    const tookMs = nowMs - startedAtMs;
    if (verdict === "well") this.#answered(nowMs, tookMs);
    else if (verdict !== "unknown") this.#failed(nowMs, tookMs);
    else this.#givenUp(nowMs);
  }

  /** A stream that was begun like a call has been opened. */
  opened(nowMs: number): void {
    this.outstanding -= 1;
    this.streams += 1;
    this.#heardAtMs = nowMs;
  }

  closed(): void {
    this.streams -= 1;
  }

  /** Begins anew: nothing is known but what others of its kind take; 0 if that is not known either. */
  assume(nowMs: number, latencyMs: number): void {
    this.#latencyMs = latencyMs;
    this.#sampledAtMs = nowMs;
    this.#answers = 0;
  }

  /** What calls took when somebody last knew; 0 if nobody ever did. */
  get lastLatencyMs(): number {
    return this.#latencyMs;
  }

  /** What the next call can expect. */
  latencyMs(nowMs: number): number {
    const unsampledMs = nowMs - this.#sampledAtMs;
    // An exponential costs more than the rest of a choice; where it would change nothing it is left out.
    const faded = unsampledMs < fadeMs / 100 ? this.#latencyMs : this.#latencyMs * Math.exp(-unsampledMs / fadeMs);
    return faded > latencyFloorMs ? faded : latencyFloorMs;
  }

  /**
   * How dear one more call is here. Comparable between endpoints of one service.
   *
   * @param share its weight by the heaviest's
   * @param latencyMs what an answer is expected to take
   */
  cost(nowMs: number, share: number, latencyMs = this.latencyMs(nowMs)): number {
    const silentMs = this.outstanding > 0 ? nowMs - this.#heardAtMs : 0;
    return (1 + (this.outstanding + this.streams) / share) * (silentMs > latencyMs ? silentMs : latencyMs);
  }

  #answered(nowMs: number, tookMs: number): void {
    this.#heardAtMs = nowMs;
    this.#waitedInVainMs = 0;
    this.#answers += 1;
    if (this.#answers <= warmUpAnswers) return;
    const latencyMs = this.latencyMs(nowMs);
    if (tookMs > latencyMs) {
      this.#rise(nowMs, tookMs);
      return;
    }
    const sinceMs = nowMs - this.#sampledAtMs;
    // Answers of one turn of the event loop count as one.
    if (sinceMs <= 0) return;
    this.#latencyMs = tookMs + (latencyMs - tookMs) * Math.exp(-sinceMs / fallMs);
    this.#sampledAtMs = nowMs;
  }

  /** Whoever gave up waiting knows at least how long it has said nothing. */
  #givenUp(nowMs: number): void {
    const silentMs = nowMs - this.#heardAtMs;
    this.#waitedInVainMs = silentMs;
    if (silentMs > this.latencyMs(nowMs)) this.#rise(nowMs, silentMs);
  }

  #rise(nowMs: number, tookMs: number): void {
    const latencyMs = this.latencyMs(nowMs);
    this.#latencyMs = latencyMs + (tookMs - latencyMs) * riseShare;
    this.#sampledAtMs = nowMs;
  }

  #failed(nowMs: number, tookMs: number): void {
    const worse = Math.min(failureMs.max, Math.max(failureMs.min, 2 * this.latencyMs(nowMs)));
    this.#latencyMs = Math.max(tookMs, worse);
    this.#sampledAtMs = nowMs;
  }
}
