import { Code, type ConnectError } from "@connectrpc/connect";
import type { CancelSource } from "../context/cancel-source.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";

/** What of a call counts when its server ends. */
export interface CallInHand {
  readonly streaming: boolean;
  /** When it ends at the latest, milliseconds since the epoch; Infinity if there is no such moment. */
  readonly deadlineMs: number;
  readonly cancel: CancelSource;
}

/** The calls that a server has not ended yet. */
export interface CallsInHand {
  readonly count: number;
  /** Adds a call; returns how to take it away. */
  add(call: CallInHand): () => void;
  /** @throws ConnectError UNAVAILABLE once the server drains */
  admit(): void;
  /**
   * Admits no more calls, ends streams that would not end in time by themselves, and waits until the others have ended;
   * what is left after timeoutMs is cancelled.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Creates an empty set of calls. */
export function createCallsInHand(clock: Clock = systemClock): CallsInHand {
  const calls = new Set<CallInHand>();
  let draining = false;
  let onIdle: (() => void) | undefined;
  const cancelAll = (which: (call: CallInHand) => boolean): void => {
    for (const call of calls) if (which(call)) call.cancel.cancel(goingAway());
  };
  return {
    get count() {
      return calls.size;
    },
    add(call) {
      calls.add(call);
      return () => {
        calls.delete(call);
        if (calls.size === 0) onIdle?.();
      };
    },
    admit() {
      if (draining) throw goingAway();
    },
    async drain(timeoutMs) {
      draining = true;
      const endMs = clock.now() + timeoutMs;
      cancelAll(({ streaming, deadlineMs }) => streaming && deadlineMs > endMs);
      if (calls.size > 0) {
        const idle = Promise.withResolvers<void>();
        onIdle = idle.resolve;
        const timer = setTimeout(idle.resolve, timeoutMs);
        await idle.promise;
        clearTimeout(timer);
      }
      cancelAll(() => true);
    },
  };
}

function goingAway(): ConnectError {
  return rpcError(Code.Unavailable, "the server is going away, please call again");
}
