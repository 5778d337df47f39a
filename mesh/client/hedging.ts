import { Code, type ConnectError } from "@connectrpc/connect";
import type { Clock } from "../contract/clock.ts";
import { createLatencyQuantile, type LatencyQuantile } from "../resilience/latency-quantile.ts";
import { createWaitList, type Waiter, type WaitList } from "../resilience/wait-list.ts";
import type { Attempt } from "./attempt.ts";

/** The part of a method's calls that is not hedged: p95. */
const quick = 0.95;
/** Below this a second attempt would leave with, not after, the first one's answer. */
const delayMinMs = 1;

/** When a method's calls to one target are hedged. */
export interface Hedging {
  /** Of first attempts. */
  readonly latency: LatencyQuantile;
  /** Calls whose first attempt is under way. */
  readonly waits: WaitList;
}

/** Creates what the calls of one method share. */
export function createHedging(clock: Clock): Hedging {
  return { latency: createLatencyQuantile(quick), waits: createWaitList(clock) };
}

/** A call that may have a second attempt beside its first. */
export interface HedgedCall {
  /** The moment has come. */
  sendHedge(hedge: Hedge): void;
}

/** The second attempt of a call whose first takes longer than most; before that, the wait for its moment. */
export class Hedge implements Waiter {
  dueAt = 0;
  waiting = false;
  previous: Waiter | undefined = undefined;
  next: Waiter | undefined = undefined;
  /** Once it is sent. */
  attempt: Attempt | undefined = undefined;
  readonly #hedging: Hedging;
  readonly #call: HedgedCall;

  constructor(hedging: Hedging, call: HedgedCall) {
    this.#hedging = hedging;
    this.#call = call;
  }

  /** Nobody knows what is slow before enough calls have ended. */
  wait(): void {
    const { latency, waits } = this.#hedging;
    if (latency.ms !== undefined) waits.add(this, Math.max(delayMinMs, latency.ms));
  }
  callOff(): void {
    this.#hedging.waits.remove(this);
  }
  due(): void {
    this.#call.sendHedge(this);
  }

  /**
   * Learns from the end of an attempt. Only from first ones: what is slow is said of the method, and second ones go where it is fast. Of one
   * that ended without an answer it is known that it was slow, if it was, but not that it was fast.
   */
  learn({ number, startedAtMs, endedAtMs }: Attempt, error: ConnectError | undefined): void {
    if (number !== 1) return;
    const { latency } = this.#hedging;
    const tookMs = endedAtMs - startedAtMs;
    if (error === undefined) latency.record(tookMs);
    else if (isCutShort(error) && latency.ms !== undefined && tookMs >= latency.ms) latency.record(tookMs);
  }
}

function isCutShort({ code }: ConnectError): boolean {
  return code === Code.Canceled || code === Code.DeadlineExceeded;
}
