import { setTimeout as pause } from "node:timers/promises";
import { currentSignal, runAs } from "../context/call-context.ts";

/** Whoever follows hears this often how far the work is, however long a step of it takes. */
const tellEveryMs = 250;

/** How far work is, or what it ended with. */
export interface Told<T> {
  readonly value: T;
  readonly isLast: boolean;
}

/**
 * Follows work that tells how far it is: yields the latest of what it has told now and then, and at last what it resolves with. Who stops
 * following cancels the work, and waits until it has cleared up.
 */
export async function* streamProgress<T>(run: (report: (progress: T) => void) => Promise<T>): AsyncGenerator<Told<T>> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...[currentSignal() ?? []].flat()]);
  let latest: { readonly value: T } | undefined;
  const report = (value: T) => {
    latest = { value };
  };
  const work = runAs({ signal }, () => run(report));
  const ended = work.then(
    () => true,
    () => true,
  );
  try {
    while (!(await Promise.race([ended, pause(tellEveryMs, false, { signal }).catch(() => ended)]))) {
      if (latest !== undefined) yield { value: latest.value, isLast: false };
    }
    yield { value: await work, isLast: true };
  } finally {
    over.abort();
    await ended;
  }
}
