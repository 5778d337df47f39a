import { Code, type ConnectError } from "@connectrpc/connect";
import { type Clock, systemClock } from "../contract/clock.ts";
import { notRunReason, rpcError } from "../contract/errors.ts";

/** What of a call counts when its server ends. The last two fields belong to CallsInHand. */
export interface CallInHand {
  readonly streaming: boolean;
  /** When it ends at the latest, milliseconds since the epoch; Infinity if there is no such moment. */
  readonly deadlineMs: number;
  cancel(reason: ConnectError): void;
  previousInHand: CallInHand | undefined;
  nextInHand: CallInHand | undefined;
}

/** The calls that a server has not ended yet. To add and to take away costs a few assignments. */
export interface CallsInHand {
  readonly count: number;
  /** Adds a call. @throws ConnectError UNAVAILABLE, reason NOT_RUN, once the server drains */
  add(call: CallInHand): void;
  /** Takes a call away; nothing happens if it is not there. */
  remove(call: CallInHand): void;
  /**
   * Admits no more calls, ends streams that would not end in time by themselves, and waits until the others have ended;
   * what is left after timeoutMs is cancelled.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Creates an empty set of calls. */
export function createCallsInHand(clock: Clock = systemClock): CallsInHand {
  const head = new Head();
  let count = 0;
  let draining = false;
  let onIdle: (() => void) | undefined;

  const cancelAll = (which: (call: CallInHand) => boolean): void => {
    const calls: CallInHand[] = [];
    for (let call = head.nextInHand; call !== head; call = call.nextInHand as CallInHand) calls.push(call);
    for (const call of calls) if (which(call)) call.cancel(goingAway());
  };
  return {
    get count() {
      return count;
    },
    add(call) {
      if (draining) throw goingAway(notRunReason);
      const last = head.previousInHand;
      call.previousInHand = last;
      call.nextInHand = head;
      last.nextInHand = call;
      head.previousInHand = call;
      count += 1;
    },
    remove(call) {
      const { previousInHand, nextInHand } = call;
      if (previousInHand === undefined || nextInHand === undefined) return;
      previousInHand.nextInHand = nextInHand;
      nextInHand.previousInHand = previousInHand;
      call.previousInHand = undefined;
      call.nextInHand = undefined;
      count -= 1;
      if (count === 0) onIdle?.();
    },
    async drain(timeoutMs) {
      draining = true;
      const endMs = clock.now() + timeoutMs;
      cancelAll(({ streaming, deadlineMs }) => streaming && deadlineMs > endMs);
      if (count > 0) {
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

/** The head of the ring of calls. */
class Head implements CallInHand {
  readonly streaming = false;
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  previousInHand: CallInHand = this;
  nextInHand: CallInHand = this;
  cancel(): void {
    throw new Error("the head of the calls in hand is no call");
  }
}

/** @param reason NOT_RUN, for a call that has not begun: it may be made elsewhere, whatever it does */
function goingAway(reason?: typeof notRunReason): ConnectError {
  const info = reason === undefined ? {} : { reason, domain: "weft" };
  return rpcError(Code.Unavailable, "the server is going away, please call again", info);
}
