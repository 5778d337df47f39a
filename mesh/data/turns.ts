import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { bounded } from "./bounded.ts";

/** Runs work with the same name one after another, within this process. */
export type Turns = <T>(name: string, work: (waited: boolean) => Promise<T>) => Promise<T>;

/** How long one waits for those before at most; nearly always the call's own deadline is sooner. */
const waitMaxMs = 60_000;

/** Creates the queue at the door. Whoever waits holds nothing, no connection above all; he leaves when his call is over. */
export function createTurns(): Turns {
  const running = new Map<string, Promise<void>>();
  return async (name, work) => {
    let waited = false;
    for (let before = running.get(name); before !== undefined; before = running.get(name)) {
      const over = before;
      waited = true;
      await bounded({ limitMs: waitMaxMs, onLimit: tooLong, onAbandon: () => {} }, () => over);
    }
    const turn = Promise.withResolvers<void>();
    running.set(name, turn.promise);
    try {
      return await work(waited);
    } finally {
      running.delete(name);
      turn.resolve();
    }
  };
}

function tooLong(): Error {
  return rpcError(Code.Aborted, `others with the same key took more than ${waitMaxMs} ms (waitMaxMs)`, {
    reason: "IDEMPOTENCY_KEY_BUSY",
    domain: "weft",
  });
}
