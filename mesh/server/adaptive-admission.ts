import type { Clock } from "../contract/clock.ts";
import type { Criticality } from "../contract/criticality.ts";
import type { Admission, AskingCall } from "./admission.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";
import { type Refusal, type RefusalCounts, Refusals } from "./refusals.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** How many calls may wait; time bounds them long before. */
const waitingCallsMax = 4_096;
/** How long a call may wait for its turn, so that a burst is taken in. */
const burstWaitMsMax = 500;
/** When calls have waited for so long without a break, and the limit does not grow, it is no burst... */
const standingMs = 250;
/** ... and to wait for longer than this helps nobody. */
const standingWaitMsMax = 50;
/** How often the pace at which waiting calls begin is given less weight. */
const paceMs = 250;
/** The part of a call's time that it may wait at most: some is left for the work. */
const waitShareMax = 0.5;

/** What a handler may go on after its caller has left, by what it had taken until then, before it is counted no more. */
const lingerFactor = 2;

/** Beats by which a turn of the event loop is known to last. */
const tickMs = 10;
const idleTicksMax = 300;
/** Once a turn has lasted so long, the calls that it brings wait for one of their own: what comes behind may be more critical. */
const turnMsMax = 50;
/** For how long calls that have waited are begun before the event loop goes round. */
const sliceMs = 10;

/** What is known of a server's load. */
export interface Load {
  readonly limit: number;
  readonly inHand: number;
  readonly waiting: number;
  /** Calls refused so far. */
  readonly refused: RefusalCounts;
}

export interface AdmissionOptions {
  readonly clock: Clock;
  /** Runs fn once the event loop has gone round. */
  readonly nextTurn: (fn: () => void) => void;
  /** Runs fn every so many milliseconds, without keeping the process alive; returns how to stop that. */
  readonly every: (ms: number, fn: () => void) => () => void;
  /** Told when calls begin to be refused, and when none are any more. */
  readonly onOverload?: (overloaded: boolean) => void;
}

/**
 * Lets unary calls begin while fewer than the limit are in hand. The others wait for a short while, the critical first; whoever would wait
 * too long is refused at once, RESOURCE_EXHAUSTED with the time after which to try again, and has surely not run.
 *
 * A call that finds room costs a few comparisons, and a few additions when it has ended.
 */
export class AdaptiveAdmission implements Admission {
  #inHand = 0;
  readonly #limit: ConcurrencyLimit;
  readonly #waiting = new WaitingCalls<AskingCall>();
  readonly #refusals: Refusals;
  /** Calls whose callers have left while the handler still runs: it is counted until it ends, but for no longer than that. */
  #lingering: { readonly call: AskingCall; readonly untilMs: number }[] = [];
  readonly #options: AdmissionOptions;

  /** From when on this turn of the event loop lasts too long; in the past while nothing ticks. */
  #turnEndsMs = Number.NEGATIVE_INFINITY;
  #stopTicking: (() => void) | undefined;
  #idleTicks = 0;
  #turnIsDue = false;

  /** Since when calls have waited without a break. While the limit grows it is found out yet whether there is too much to do. */
  #standingSinceMs = 0;
  /** Their pace: how many have begun in which time; both are halved now and then. */
  #begun = 0;
  #begunInMs = 0;
  #pacedAtMs = 0;

  constructor(options: AdmissionOptions) {
    const nowMs = options.clock.monotonic();
    this.#options = options;
    this.#limit = new ConcurrencyLimit(nowMs);
    this.#refusals = new Refusals(nowMs, options.onOverload);
  }

  get load(): Load {
    const { counts } = this.#refusals;
    const limit = Math.floor(this.#limit.current);
    return { limit, inHand: this.#inHand, waiting: this.#waiting.length, refused: counts };
  }

  enter(call: AskingCall): boolean {
    return this.#hasRoom(call.startedAtMs) || this.#enterSlowly(call);
  }

  leave(call: AskingCall, endedAtMs: number, settled: boolean): void {
    const { timeoutMs, retry } = call.policy;
    const contractMs = retry === undefined ? timeoutMs : Math.min(timeoutMs, retry.attemptTimeoutMs);
    const givenMs = call.deadlineMs - call.arrivedMs;
    // With less than half of the contract's time, that it was not enough says nothing of the server.
    const judgedMs = givenMs * 2 < contractMs ? Number.POSITIVE_INFINITY : givenMs;
    const beganMs = call.startedAtMs + call.waitedMs;
    if (this.#waiting.length > 0) this.#limit.foundFull();
    this.#limit.ended(this.#inHand, beganMs, endedAtMs, judgedMs);
    this.#refusals.done();
    if (settled) this.#makeRoom();
    else {
      call.lingers = true;
      this.#lingering.push({ call, untilMs: endedAtMs + lingerFactor * (endedAtMs - beganMs) });
    }
  }

  settled(call: AskingCall): void {
    if (!call.lingers) return;
    call.lingers = false;
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#inHand -= 1;
    if (this.#waiting.length > 0) this.#takeTurn();
  }

  /** What goes on for nobody still costs something, but a handler that never ends must not take its place for ever. */
  #giveUpLingering(nowMs: number): void {
    if (this.#lingering.length === 0) return;
    this.#lingering = this.#lingering.filter(({ call, untilMs }) => {
      if (untilMs <= nowMs) this.settled(call);
      return call.lingers;
    });
  }

  /** Counts a call that may begin at once. */
  #hasRoom(nowMs: number): boolean {
    if (this.#waiting.length > 0 || this.#inHand >= this.#limit.current || nowMs >= this.#turnEndsMs) return false;
    this.#inHand += 1;
    return true;
  }

  #enterSlowly(call: AskingCall): boolean {
    const nowMs = this.#options.clock.monotonic();
    if (this.#stopTicking === undefined) {
      this.#startTicking(nowMs);
      if (this.#hasRoom(nowMs)) return true;
    }
    if (this.#inHand >= this.#limit.current) this.#limit.foundFull();
    if (this.#waiting.length === 0) {
      this.#standingSinceMs = nowMs;
      this.#pacedAtMs = nowMs;
      this.#begun = 0;
      this.#begunInMs = 0;
    }
    const refusal = this.#refusalOf(call, nowMs);
    if (refusal) throw this.#refusals.count(criticalityOf(call), refusal);
    this.#waiting.add(call, criticalityOf(call), nowMs);
    this.#takeTurn();
    return false;
  }

  /** Why a call must not wait, if so. */
  #refusalOf(call: AskingCall, nowMs: number): Refusal | undefined {
    const criticality = criticalityOf(call);
    const leftMs = call.deadlineMs - call.arrivedMs - (nowMs - call.startedAtMs);
    const waitMsMax = Math.min(this.#waitMsMax(nowMs), leftMs * waitShareMax);
    if (this.#expectedWaitMs(criticality, nowMs) > waitMsMax) return "no_time";
    if (this.#waiting.length < waitingCallsMax) return undefined;
    const displaced = this.#waiting.displace(criticality);
    if (displaced === undefined) return "full";
    this.#refuse(displaced, "displaced");
    return undefined;
  }

  /** Going by the pace of late; 0 while nothing can be said. */
  #expectedWaitMs(criticality: Criticality, nowMs: number): number {
    if (!this.#isStanding(nowMs)) return 0;
    const inMs = this.#begunInMs + nowMs - this.#pacedAtMs;
    return (this.#waiting.ahead(criticality) * inMs) / Math.max(1, this.#begun);
  }

  #keepPace(nowMs: number): void {
    if (nowMs - this.#pacedAtMs < paceMs) return;
    this.#begun /= 2;
    this.#begunInMs = (this.#begunInMs + nowMs - this.#pacedAtMs) / 2;
    this.#pacedAtMs = nowMs;
  }

  #waitMsMax(nowMs: number): number {
    return this.#isStanding(nowMs) ? standingWaitMsMax : burstWaitMsMax;
  }

  #isStanding(nowMs: number): boolean {
    const sinceMs = Math.max(this.#standingSinceMs, this.#limit.grewAtMs);
    return this.#waiting.length > 0 && nowMs - sinceMs >= standingMs;
  }

  #takeTurn(): void {
    if (this.#turnIsDue || this.#inHand >= this.#limit.current) return;
    this.#turnIsDue = true;
    this.#options.nextTurn(this.#turn);
  }

  /** Lets calls that wait begin, a slice of time of them, so that more critical ones can come in between. */
  readonly #turn = (): void => {
    this.#turnIsDue = false;
    const { clock } = this.#options;
    const beganMs = clock.monotonic();
    let nowMs = beganMs;
    this.#refuseLate(nowMs);
    while (this.#inHand < this.#limit.current && nowMs - beganMs < sliceMs) {
      const call = this.#waiting.take();
      if (call === undefined) break;
      if (call.reason !== undefined) continue;
      this.#inHand += 1;
      this.#begun += 1;
      call.waitedMs = nowMs - call.startedAtMs;
      call.admitted();
      nowMs = clock.monotonic();
    }
    if (this.#stopTicking) this.#turnEndsMs = nowMs + turnMsMax;
    if (this.#waiting.length > 0) this.#takeTurn();
  };

  #refuseLate(nowMs: number): void {
    for (const call of this.#waiting.takeOlderThan(nowMs - this.#waitMsMax(nowMs))) this.#refuse(call, "waited");
  }

  #refuse(call: AskingCall, why: Refusal): void {
    if (call.reason === undefined) call.refused(this.#refusals.count(criticalityOf(call), why));
  }

  #startTicking(nowMs: number): void {
    this.#turnEndsMs = nowMs + turnMsMax;
    this.#idleTicks = 0;
    this.#stopTicking = this.#options.every(tickMs, this.#tick);
  }

  readonly #tick = (): void => {
    const nowMs = this.#options.clock.monotonic();
    this.#turnEndsMs = nowMs + turnMsMax;
    this.#giveUpLingering(nowMs);
    if (this.#waiting.length > 0) {
      this.#refuseLate(nowMs);
      this.#keepPace(nowMs);
      this.#takeTurn();
    }
    const idle = this.#inHand === 0 && this.#waiting.length === 0 && this.#refusals.quiet;
    this.#refusals.review(nowMs);
    this.#idleTicks = idle ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks >= idleTicksMax) this.#stop();
  };

  #stop(): void {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    this.#turnEndsMs = Number.NEGATIVE_INFINITY;
  }
}

function criticalityOf({ criticality, policy }: AskingCall): Criticality {
  return criticality ?? policy.criticality ?? "default";
}
