/** Calls at a time that a server begins with, and comes back to when all is well: more than ordinary days need. */
export const limitAtStart = 256;
/** The limit never goes below: so many calls at a time are no reason for being late. */
export const limitMin = 32;
export const limitMax = 16_384;

/** How often what has happened is judged, and how many calls must have ended by then; or, while few end, how long at most. */
const windowMs = 100;
const windowCallsMin = 20;
const windowMaxMs = 1_000;
/** Over which time the throughput is averaged. */
const averageMs = 300;

/** A call is late when it has taken this share of the time that it came with. */
const lateShare = 0.5;
/** The share of late calls from which on the limit is cut: to at most this part of what was in hand, and to where calls take this share. */
const lateCallsMax = 0.1;
const cutFactor = 0.75;
const cutShare = 0.35;

/** The limit grows to where calls still take this share of their time, to twice of what it was at once. */
const growthShare = 0.25;
const growthFactor = 2;
/** How fast a limit that was cut comes back while nobody runs into it, and in which time one that has grown is forgotten. */
const recoveryPerMs = 0.08;
const forgettingMs = 10_000;

/**
 * How many unary calls a server works on at a time: additive and multiplicative increase, multiplicative decrease, as TCP
 * does it, judged by the time that the contract gives (docs/decisions: Overload). It is cut only when calls are late and there were many
 * at a time; calls that began before a cut do not count towards the next.
 */
export class ConcurrencyLimit {
  /** Not whole; a call may begin while fewer than this are in hand. */
  current = limitAtStart;
  /** When it has last grown since somebody found no room. */
  grewAtMs = Number.NEGATIVE_INFINITY;

  #windowBeganMs: number;
  /** The most that were in hand in this window, and whether somebody found no room. */
  #peak = 0;
  #full = false;
  #ended = 0;
  #inTime = 0;
  #judged = 0;
  #late = 0;
  #givenMs = 0;
  /** Calls that ended in time a millisecond, over the last windows. */
  #inTimePerMs = 0;
  /** Calls that began before are not judged: the cut had not yet helped them. */
  #judgedFromMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#windowBeganMs = nowMs;
  }

  /** Somebody found no room. */
  foundFull(): void {
    this.#full = true;
  }

  /**
   * A call has ended. All times are of one monotonic clock.
   *
   * @param inHand how many there were, this one included
   * @param givenMs the time that it had; Infinity if how long it took says nothing
   */
  ended(inHand: number, beganMs: number, nowMs: number, givenMs: number): void {
    this.#ended += 1;
    if (nowMs - beganMs < givenMs) this.#inTime += 1;
    if (inHand > this.#peak) this.#peak = inHand;
    if (givenMs !== Number.POSITIVE_INFINITY && beganMs >= this.#judgedFromMs) {
      this.#judged += 1;
      this.#givenMs += givenMs;
      if (nowMs - beganMs > givenMs * lateShare) this.#late += 1;
    }
    if (nowMs - this.#windowBeganMs >= windowMs) this.#judge(nowMs);
  }

  #judge(nowMs: number): void {
    const tookMs = nowMs - this.#windowBeganMs;
    if (this.#ended < windowCallsMin && tookMs < windowMaxMs) return;
    const weight = this.#inTimePerMs === 0 ? 1 : 1 - Math.exp(-tookMs / averageMs);
    this.#inTimePerMs += weight * (this.#inTime / tookMs - this.#inTimePerMs);
    if (this.#late > this.#judged * lateCallsMax && this.#peak > limitMin) this.#cut(nowMs);
    else if (this.#full) this.#grow(nowMs);
    else if (this.#judged > 0) this.#comeBack(tookMs);
    this.#windowBeganMs = nowMs;
    this.#peak = 0;
    this.#full = false;
    this.#ended = 0;
    this.#inTime = 0;
    this.#judged = 0;
    this.#late = 0;
    this.#givenMs = 0;
  }

  #cut(nowMs: number): void {
    const next = Math.min(this.#peak * cutFactor, this.#useful(cutShare));
    this.current = Math.max(limitMin, Math.min(this.current, next));
    this.#judgedFromMs = nowMs;
  }

  #grow(nowMs: number): void {
    const next = Math.min(limitMax, this.current * growthFactor, this.#useful(growthShare));
    if (next < this.current + 1) return;
    this.current = next;
    this.grewAtMs = nowMs;
  }

  /** While nobody runs into it, back to what it was at the start: what it was for is over. */
  #comeBack(ms: number): void {
    if (this.current < limitAtStart) this.current = Math.min(limitAtStart, this.current + ms * recoveryPerMs);
    else if (this.#peak < this.current / 2) {
      this.current = Math.max(limitAtStart, this.current * Math.exp(-ms / forgettingMs));
    }
  }

  /**
   * How many calls in hand each take that share of their time, by Little's law: in hand = ended a millisecond x milliseconds that each
   * takes. With more, each would only take longer.
   */
  #useful(share: number): number {
    return this.#judged === 0 ? 0 : this.#inTimePerMs * (this.#givenMs / this.#judged) * share;
  }
}
