import { Code, ConnectError } from "@connectrpc/connect";
import type { Connection } from "./order-watch.ts";

export interface KeepFreshDeps {
  /** Reads what is shown anew. */
  readonly load: (signal: AbortSignal) => Promise<void>;
  readonly intervalMs: number;
  /** Whether nobody can see it at the moment: then nothing is asked. */
  readonly isHidden: () => boolean;
  /** Resolves after so long, or sooner when the network has come back. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onConnection: (connection: Connection) => void;
}

const pauseMaxMs = 60_000;

/** These do not get better by asking again. */
const hopeless: ReadonlySet<Code> = new Set([Code.NotFound, Code.Unauthenticated, Code.PermissionDenied]);

/**
 * Reads again every so often until the signal ends it; less often while that fails. For what no stream tells of.
 * Rejects when it cannot be read at all.
 */
export async function keepFresh(deps: KeepFreshDeps, signal: AbortSignal): Promise<void> {
  const { load, intervalMs, isHidden, pause, onConnection } = deps;
  let failures = 0;
  onConnection("live");
  for (;;) {
    await pause(Math.min(pauseMaxMs, intervalMs * 2 ** failures), signal);
    if (signal.aborted) return;
    if (isHidden()) continue;
    try {
      await load(signal);
      failures = 0;
      onConnection("live");
    } catch (error) {
      if (signal.aborted) return;
      if (hopeless.has(ConnectError.from(error).code)) throw error;
      failures += 1;
      onConnection("reconnecting");
    }
  }
}
