import { deadlineExceeded } from "../context/call-context.ts";
import { type Bound, bounded } from "../data/bounded.ts";
import type { Database } from "../data/queryable.ts";
import { resolveCommit } from "../data/unknown-commit.ts";
import type { EventHandler, EventKind, ReceivedEvent, RepeatableHandler } from "./handler.ts";
import { HandlerFailure } from "./handler-failure.ts";
import type { InboxStore } from "./inbox-store.ts";

/**
 * Hands one event to its handler, outside of any batch. A dry run changes nothing.
 *
 * @throws HandlerFailure with the handler's own error as its cause; what else went wrong as it is
 */
export type Redrive<Handler extends EventKind> = (
  work: { readonly event: ReceivedEvent; readonly handler: Handler },
  options: { readonly dryRun: boolean },
) => Promise<"handled" | "repeated" | "decoded">;

/** A dry run has found out what it wanted to know. */
class RolledBack extends Error {}

/** With the inbox: the effect is there once, however often the event comes. A dry run does all of it and rolls back. */
export function createInboxRedrive(deps: {
  readonly consumer: string;
  readonly database: Database;
  readonly inbox: InboxStore;
  readonly handlerTimeoutMs: number;
}): Redrive<EventHandler> {
  const { consumer, database, inbox } = deps;
  const limit = limitOf(deps.handlerTimeoutMs);
  return async ({ event, handler }, { dryRun }) => {
    let repeated = false;
    const attempt = () =>
      database.transaction(`${consumer}.redrive`, async (tx) => {
        repeated = (await inbox.record(tx, [event.meta.eventId])) === 0;
        if (!repeated) await asHandlers(() => bounded(limit, () => handler.handle(tx, [event])));
        if (dryRun) throw new RolledBack();
      });
    // The inbox knows what became of a COMMIT whose reply was lost.
    await resolveCommit(attempt).catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
    return repeated ? "repeated" : "handled";
  };
}

/** Without a transaction, for handlers that may be called as often as one likes. A dry run cannot call them. */
export function createRepeatableRedrive(handlerTimeoutMs: number): Redrive<RepeatableHandler> {
  const limit = limitOf(handlerTimeoutMs);
  return async ({ event, handler }, { dryRun }) => {
    if (dryRun) return "decoded";
    await asHandlers(() => bounded(limit, async () => handler.handle(event)));
    return "handled";
  };
}

async function asHandlers(fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (cause) {
    throw new HandlerFailure("the handler failed", { cause });
  }
}

function limitOf(limitMs: number): Bound<void> {
  return { limitMs, onLimit: () => deadlineExceeded(limitMs), onAbandon: () => {} };
}
