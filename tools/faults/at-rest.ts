import { setTimeout as pause } from "node:timers/promises";
import { publishers } from "./checks/events.ts";
import { finalStates } from "./checks/orders.ts";
import type { Truth } from "./truth.ts";

/** Between two looks. */
const lookIntervalMs = 200;

/** How long it took, and what still moves if it took too long. */
export interface Rest {
  readonly tookMs: number;
  readonly moving: string | undefined;
}

/**
 * Waits until nothing moves any more by itself: no order, no saga, no payment, no event, no e-mail. Never longer than timeoutMs:
 * what moves then is for the checks to report.
 */
export async function untilAtRest(truth: Truth, timeoutMs: number): Promise<Rest> {
  const startedMs = performance.now();
  let moving: string | undefined;
  // Twice, since what is looked at first may be set going by what is looked at last.
  for (let quiet = 0; quiet < 2; ) {
    // Of an engine that is only coming back there is nothing to read yet.
    moving = await whatMoves(truth).catch((error: unknown) => `cannot be read: ${error}`);
    quiet = moving === undefined ? quiet + 1 : 0;
    const tookMs = performance.now() - startedMs;
    if (quiet < 2 && tookMs > timeoutMs) return { tookMs, moving: moving ?? "it has only just come to rest" };
    if (quiet < 2) await pause(lookIntervalMs);
  }
  return { tookMs: performance.now() - startedMs, moving: undefined };
}

async function whatMoves(truth: Truth): Promise<string | undefined> {
  const count = async (service: string, what: string, from: string): Promise<string | undefined> => {
    const [row] = await truth.rows<{ n: string }>(service, `SELECT COUNT(*) AS n FROM ${from}`);
    return Number(row?.n) > 0 ? `${row?.n} ${what}` : undefined;
  };
  const final = finalStates.map((state) => `'${state}'`).join(", ");
  const looks: (() => Promise<string | undefined>)[] = [
    () => count("order", "orders", `orders WHERE state NOT IN (${final})`),
    () => count("order", "sagas", "sagas WHERE next_attempt_at IS NOT NULL"),
    // One that never reached the provider is given up after five minutes; nothing can come of it, the order being cancelled.
    () =>
      count(
        "payment",
        "payments",
        "payments WHERE next_attempt_at IS NOT NULL AND NOT (state = 'PENDING' AND wanted = 'VOID')",
      ),
    ...publishers.map((owner) => () => count(owner, `events of ${owner}`, "weft_outbox WHERE published_at IS NULL")),
    () => count("notification", "messages", "messages WHERE state = 'QUEUED' AND recipient <> ''"),
    async () => {
      const pending = await truth.pending();
      return pending.size === 0 ? undefined : [...pending].map(([name, n]) => `${n} events for ${name}`).join(", ");
    },
  ];
  for (const look of looks) {
    const moving = await look();
    if (moving !== undefined) return moving;
  }
  return undefined;
}
