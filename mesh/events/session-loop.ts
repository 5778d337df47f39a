import type { Random } from "../contract/clock.ts";
import type { TransitionLog } from "../telemetry/transition-log.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import type { Broker, BrokerSession } from "./broker.ts";

export interface SessionLoopOptions {
  readonly broker: Broker;
  readonly random: Random;
  /** Aborted by the loop's disposal: work then has to end. */
  readonly stopping: AbortController;
  readonly log: TransitionLog;
  /** Works until the session is lost or stopping is aborted. */
  readonly work: (session: BrokerSession) => Promise<void>;
}

/** Between two attempts, in and between sessions. */
export const failureBackoff = { initialMs: 100, maxMs: 2_000 };

/** Has work done in each session with the broker, and again after a failure, until disposed of; waits then for its end. */
export function startSessionLoop({ broker, random, stopping, log, work }: SessionLoopOptions): AsyncDisposable {
  const run = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        const session = await broker.session(stopping.signal);
        // What failed may lack a stream that somebody has deleted.
        if (failures > 0) await session.ensureStreams();
        await work(session);
        failures = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        failures += 1;
        if (broker.isConnected()) log.failed(error);
        await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
      }
    }
  };

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
