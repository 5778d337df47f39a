/** Lets one loop sleep until somebody has work for it. A ring while it is awake is not lost: the next sleep is skipped. */
export interface Alarm {
  ring(): void;
  /** Sleeps until it rings or timeoutMs have passed. */
  sleep(timeoutMs: number): Promise<void>;
}

export function createAlarm(): Alarm {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async sleep(timeoutMs) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      rung = false;
      wake = undefined;
    },
  };
}
