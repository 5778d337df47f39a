import type { Clock } from "../contract/clock.ts";

/** Counts the time in which others could be heard, in milliseconds. */
export interface ListeningClock {
  /** Somebody was heard. */
  heard(): void;
  now(): number;
}

/**
 * Whether one has fallen silent shows only while others are heard: a silence of all is our own, or the source's. So a pause counts no
 * more than `pauseMaxMs`: not while we were disconnected, not while this process was frozen, not while a source is empty.
 */
export function createListeningClock(clock: Clock, pauseMaxMs: number): ListeningClock {
  let listenedMs = 0;
  let lastMs = clock.monotonic();
  return {
    heard() {
      const now = clock.monotonic();
      listenedMs += Math.min(now - lastMs, pauseMaxMs);
      lastMs = now;
    },
    now: () => listenedMs,
  };
}
