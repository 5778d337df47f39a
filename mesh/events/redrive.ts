import { ConnectError } from "@connectrpc/connect";
import { deadlineExceeded } from "../context/call-context.ts";
import { errorReason } from "../contract/errors.ts";
import { type Bound, bounded } from "../data/bounded.ts";
import type { Database } from "../data/queryable.ts";
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

/** How often an event is handed over because nobody knows whether its COMMIT was done. */
const unknownCommitsMax = 3;

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
    for (let attempts = 1; ; attempts += 1) {
      try {
        await attempt();
        break;
      } catch (error) {
        if (error instanceof RolledBack) break;
        // The inbox knows.
        if (!isCommitUnknown(error) || attempts >= unknownCommitsMax) throw error;
      }
    }
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

function isCommitUnknown(error: unknown): boolean {
  return error instanceof ConnectError && errorReason(error) === "COMMIT_OUTCOME_UNKNOWN";
}
