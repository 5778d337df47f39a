import type { Clock } from "../contract/clock.ts";

const intervalMs = 60_000;
const countMax = 1_000;

/** Removes what is too old now and then, in bounded pieces: answers at once when it is not due. */
export function createPurge(clock: Clock, remove: (count: number) => Promise<number>): () => Promise<void> {
  let doneAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (clock.monotonic() - doneAtMs < intervalMs) return;
    // A full piece: there may be more, so it stays due.
    if ((await remove(countMax)) < countMax) doneAtMs = clock.monotonic();
  };
}
