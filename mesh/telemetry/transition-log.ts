import type { Logger } from "./logger.ts";

/** Says once that something has begun to fail and once that it works again, however often it is tried in between. */
export interface TransitionLog {
  failed(error: unknown): void;
  worked(): void;
}

export function createTransitionLog(logger: Logger, failure: string, recovery: string): TransitionLog {
  let failures = 0;
  return {
    failed(error) {
      failures += 1;
      if (failures === 1) logger.warn(failure, { error });
    },
    worked() {
      if (failures > 0) logger.info(recovery, { failures });
      failures = 0;
    },
  };
}
