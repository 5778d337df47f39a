import type { Random } from "../contract/clock.ts";
import { backoffMs, waitFor } from "../events/backoff.ts";
import type { Bucket } from "./bucket.ts";
import type { Link } from "./link.ts";

export interface RegistrationOptions {
  readonly bucket: Bucket;
  readonly link: Link;
  readonly key: string;
  readonly value: Uint8Array;
  readonly refreshIntervalMs: number;
  readonly random: Random;
}

/** Keeps an entry in a bucket until it is disposed of. */
export interface Registration extends AsyncDisposable {
  readonly key: string;
  /** Puts it again now: somebody else has removed it. */
  renew(): void;
}

/** Why an entry is removed: what it tells of takes no calls any more. Nobody else has a say in that. */
export const leftReason = "left";
const putBackoff = { initialMs: 100, maxMs: 2_000 };
const leaveTimeoutMs = 500;
/** Calls made just before their callers hear that we have left are still answered. */
const onTheirWayMs = 100;

/** Puts an entry, and puts it again in time, after a failure, and when the connection was lost and is back. */
export function startRegistration(options: RegistrationOptions): Registration {
  const { bucket, link, key, value, refreshIntervalMs, random } = options;
  const stopping = new AbortController();
  let waiting = new AbortController();

  const renew = (): void => waiting.abort();
  const run = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      // Before the put: a reason to put again that comes meanwhile is not lost.
      waiting = new AbortController();
      const put = await bucket.put(key, value).then(
        () => true,
        () => false,
      );
      failures = put ? 0 : failures + 1;
      // Not all of them at the same moment.
      const waitMs = put ? refreshIntervalMs * (0.8 + 0.2 * random()) : backoffMs(putBackoff, failures, random);
      await waitFor(waitMs, waiting.signal);
    }
  };

  const watching = link.whenUp(renew);
  const running = run();
  return {
    key,
    renew,
    async [Symbol.asyncDispose]() {
      if (stopping.signal.aborted) return running;
      stopping.abort();
      waiting.abort();
      watching[Symbol.dispose]();
      // After a put that is under way, which would else bring it back: it was sent before.
      const timer = new AbortController();
      const left = bucket.remove(key, leftReason).then(() => waitFor(onTheirWayMs, timer.signal));
      await Promise.race([Promise.allSettled([left, running]), waitFor(leaveTimeoutMs, timer.signal)]);
      timer.abort();
    },
  };
}
