import { Code, type ConnectError } from "@connectrpc/connect";
import type { Criticality } from "../contract/criticality.ts";
import { overloadedReason, rpcError } from "../contract/errors.ts";

/** What a caller is asked to wait with another attempt; as often as calls were refused for each one that was done, longer. */
const pushBackMs = 100;
const pushBackMsMax = 5_000;
/** Over which time those are compared. */
const periodMs = 500;
/** Without a refusal for so long, it is over. */
const overAfterMs = 2_000;

/** Why a call was refused: too many wait, a more critical one took its place, it has waited for too long, or it would have to. */
export type Refusal = "full" | "displaced" | "waited" | "no_time";

export type RefusalCounts = Readonly<Record<Criticality, Readonly<Record<Refusal, number>>>>;

/** Counts refused calls, and tells their callers when to try again. */
export class Refusals {
  readonly counts: Record<Criticality, Record<Refusal, number>> = {
    critical: { full: 0, displaced: 0, waited: 0, no_time: 0 },
    default: { full: 0, displaced: 0, waited: 0, no_time: 0 },
    sheddable: { full: 0, displaced: 0, waited: 0, no_time: 0 },
  };
  readonly #onOverload: ((overloaded: boolean) => void) | undefined;
  #refused = 0;
  #done = 0;
  #overloaded = false;
  #lastRefusedMs = 0;
  #refusedForEachDone = 0;
  #periodBeganMs: number;
  #error: ConnectError | undefined;

  constructor(nowMs: number, onOverload: ((overloaded: boolean) => void) | undefined) {
    this.#periodBeganMs = nowMs;
    this.#onOverload = onOverload;
  }

  /** Whether nothing has happened of late. */
  get quiet(): boolean {
    return this.#refused + this.#done === 0;
  }

  done(): void {
    this.#done += 1;
  }

  /** One error for the many calls of a period, since to make one costs more than to refuse does. */
  count(criticality: Criticality, why: Refusal): ConnectError {
    this.counts[criticality][why] += 1;
    this.#refused += 1;
    this.#error ??= overloaded(Math.min(pushBackMsMax, pushBackMs * (1 + this.#refusedForEachDone)));
    return this.#error;
  }

  /** Looks back once a period is over. */
  review(nowMs: number): void {
    if (nowMs - this.#periodBeganMs < periodMs) return;
    if (this.#refused > 0) this.#lastRefusedMs = nowMs;
    const overloaded = this.#refused > 0 || (this.#overloaded && nowMs - this.#lastRefusedMs < overAfterMs);
    if (overloaded !== this.#overloaded) this.#onOverload?.(overloaded);
    this.#overloaded = overloaded;
    this.#refusedForEachDone = this.#refused / Math.max(1, this.#done);
    this.#refused = 0;
    this.#done = 0;
    this.#error = undefined;
    this.#periodBeganMs = nowMs;
  }
}

function overloaded(retryDelayMs: number): ConnectError {
  return rpcError(Code.ResourceExhausted, "the server has too much to do, please try again later", {
    reason: overloadedReason,
    domain: "weft",
    retryDelayMs,
  });
}
