import type { Clock } from "@weft/mesh/contract";

export interface PopularOptions {
  /** What sells best; undefined if that cannot be said at the moment. */
  readonly ask: () => Promise<readonly string[] | undefined>;
  readonly clock: Clock;
  /** How long an answer is good. */
  readonly ttlMs?: number;
  /** How long after no answer, or an empty one, to ask again. */
  readonly retryMs?: number;
}

/**
 * Remembers what sells best. Only who finds nothing at all waits for an answer, together with all others; an old list is given while
 * a new one is asked for, and for as long as there is none.
 */
export function createPopular({
  ask,
  clock,
  ttlMs = 60_000,
  retryMs = 2_000,
}: PopularOptions): () => Promise<readonly string[]> {
  let known: readonly string[] = [];
  let askAgainAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) known = answer;
    askAgainAtMs = clock.monotonic() + (answer === undefined || answer.length === 0 ? retryMs : ttlMs);
    asking = undefined;
  }

  return async () => {
    if (clock.monotonic() >= askAgainAtMs) {
      asking ??= refresh();
      if (known.length === 0) await asking;
    }
    return known;
  };
}
