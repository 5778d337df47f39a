/** Time, injected so that tests and replays are exact. */
export interface Clock {
  /** Milliseconds since the Unix epoch. Can jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds since an arbitrary moment. Never goes back: for durations. */
  monotonic(): number;
}

/** Chance, injected for the same reason: a number in [0, 1). */
export type Random = () => number;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
