import { setTimeout as pause } from "node:timers/promises";

export interface WaitOptions {
  /** What is waited for, for the message. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Ends the wait early, with the reason why it cannot succeed any more. */
  readonly giveUp?: () => string | undefined;
}

/** Asks again and again until `probe` answers true; an Error with the last failure when `timeoutMs` pass before. */
export async function waitUntil(probe: () => Promise<boolean>, options: WaitOptions): Promise<void> {
  const until = performance.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    const reason = options.giveUp?.();
    if (reason !== undefined) throw new Error(`${options.what}: ${reason}`);
    try {
      if (await probe()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= until) {
      const why = last instanceof Error ? ` (${last.message})` : "";
      throw new Error(`${options.what}: not after ${options.timeoutMs} ms${why}`, { cause: last });
    }
    await pause(options.intervalMs ?? 25);
  }
}
