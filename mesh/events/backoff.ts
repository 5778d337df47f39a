import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../contract/clock.ts";

/** A wait that doubles with each failure up to a limit. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/** The wait after the given number of failures in a row, from 1: half of it fixed, half random, so that many do not return at once. */
export function backoffMs(backoff: Backoff, failures: number, random: Random): number {
  const full = Math.min(backoff.maxMs, backoff.initialMs * 2 ** (failures - 1));
  return Math.ceil((full / 2) * (1 + random()));
}

/** Waits, but no longer than the signal lets it. */
export async function waitFor(durationMs: number, signal: AbortSignal): Promise<void> {
  await pause(durationMs, undefined, { signal }).catch(() => {});
}
