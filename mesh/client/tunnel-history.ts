import { Code, type ConnectError } from "@connectrpc/connect";
import type { Random } from "../contract/clock.ts";

/** Between attempts to open a tunnel, after a failure. */
const backoffMs = { first: 100, max: 5_000 };
/** A peer that has no tunnels is asked again after so long: it may have been replaced by a newer one. */
const unsupportedMs = 60_000;
/** After a server has said that it is going away. */
const goneMs = 1_000;
/** A tunnel that breaks before this age counts as reset by something in between. */
export const youngMs = 60_000;
/** So many of those in a row, and tunnels are given up for a while: each that breaks may cost calls. */
const resetsMax = 3;
const giveUpMs = { first: 60_000, max: 600_000 };

/** What has become of the tunnels to one instance, and what that says of the next one. All times are monotonic. */
export interface TunnelHistory {
  /** Whether one may be opened now. */
  mayOpen(nowMs: number): boolean;
  /** They kept breaking: the next one must be no longer young before it takes calls, so that finding out costs none. */
  readonly onProbation: boolean;
  opened(): void;
  /** One could not be opened: UNIMPLEMENTED and FAILED_PRECONDITION say that the peer has none, or none that we speak. */
  failed(nowMs: number, error: ConnectError | undefined): void;
  /** An open one broke. */
  broke(nowMs: number, ageMs: number): void;
  /** One that was on probation has grown old. */
  proved(): void;
  /** The server wants no calls. */
  refused(nowMs: number): void;
}

/** Creates an empty history. */
export function createTunnelHistory(random: Random): TunnelHistory {
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let resets = 0;
  let givenUp = 0;
  const forget = (): void => {
    resets = 0;
    givenUp = 0;
  };
  return {
    mayOpen: (nowMs) => nowMs >= notBeforeMs,
    get onProbation() {
      return givenUp > 0;
    },
    opened() {
      failures = 0;
    },
    failed(nowMs, error) {
      if (error?.code === Code.Unimplemented || error?.code === Code.FailedPrecondition) {
        notBeforeMs = nowMs + unsupportedMs;
        return;
      }
      const bound = Math.min(backoffMs.max, backoffMs.first * 2 ** failures);
      failures += 1;
      notBeforeMs = nowMs + bound * (0.5 + random() / 2);
    },
    broke(nowMs, ageMs) {
      if (ageMs >= youngMs) return forget();
      resets += 1;
      if (resets < resetsMax) return;
      notBeforeMs = nowMs + Math.min(giveUpMs.max, giveUpMs.first * 2 ** givenUp);
      givenUp += 1;
    },
    proved: forget,
    refused(nowMs) {
      notBeforeMs = nowMs + goneMs;
    },
  };
}
