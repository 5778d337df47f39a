import { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../contract/clock.ts";
import type { Criticality } from "../contract/criticality.ts";
import { type MethodPolicy, readPolicies } from "../contract/policy.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { AdaptiveAdmission } from "./adaptive-admission.ts";
import type { AskingCall } from "./admission.ts";

/** What is to happen, by when. */
class Agenda {
  #serial = 0;
  readonly #events: { atMs: number; serial: number; fn: () => void }[] = [];

  get firstMs(): number {
    return this.#events[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }
  add(atMs: number, fn: () => void): void {
    this.#events.push({ atMs, serial: this.#serial++, fn });
    for (let at = this.#events.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }
  take(): (() => void) | undefined {
    this.#swap(0, this.#events.length - 1);
    const first = this.#events.pop();
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const least = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(least, at)) return first?.fn;
      this.#swap(at, least);
      at = least;
    }
  }
  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#events[a], this.#events[b]];
    if (one === undefined || other === undefined) return one !== undefined;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.serial < other.serial);
  }
  #swap(a: number, b: number): void {
    const [one, other] = [this.#events[a], this.#events[b]];
    if (one === undefined || other === undefined) return;
    this.#events[a] = other;
    this.#events[b] = one;
  }
}

/** A clock that stands still but for what happens on it, and an event loop with Node's order: timers, input, immediates. */
export class SimulatedTime implements Clock {
  #nowMs = 0;
  readonly #timers = new Agenda();
  readonly #input = new Agenda();
  #immediates: (() => void)[] = [];

  now(): number {
    return this.#nowMs;
  }
  monotonic(): number {
    return this.#nowMs;
  }
  /** Time that the process spends on one thing: what is due meanwhile waits. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }
  after(ms: number, fn: () => void): void {
    this.#timers.add(this.#nowMs + ms, fn);
  }
  /** Something comes in by a socket. */
  arrives(atMs: number, fn: () => void): void {
    this.#input.add(atMs, fn);
  }
  /** Lets happen what is to happen until then. */
  runUntil(endMs: number): void {
    while (this.#nowMs < endMs) {
      while (this.#timers.firstMs <= this.#nowMs) this.#timers.take()?.();
      for (let read = 0; read < readMax && this.#input.firstMs <= this.#nowMs; read++) this.#input.take()?.();
      const immediates = this.#immediates;
      this.#immediates = [];
      for (const fn of immediates) fn();
      if (this.#immediates.length > 0) continue;
      this.#nowMs = Math.max(this.#nowMs, Math.min(endMs, this.#timers.firstMs, this.#input.firstMs));
    }
  }
  readonly nextTurn = (fn: () => void): void => void this.#immediates.push(fn);
  readonly every = (ms: number, fn: () => void): (() => void) => {
    let stopped = false;
    const again = (): void => {
      if (stopped) return;
      fn();
      this.after(ms, again);
    };
    this.after(ms, again);
    return () => {
      stopped = true;
    };
  };
}

/** Calls that one turn of the event loop reads at most. */
const readMax = 2_000;

/** A call that comes now, to be told what becomes of it. */
export function askingCall(time: Clock, criticality: Criticality, timeoutMs: number) {
  const now = time.monotonic();
  const call: AskingCall & { reason: Error | undefined } = {
    policy: { ...echoPolicy, timeoutMs },
    deadlineMs: now + timeoutMs,
    arrivedMs: now,
    startedAtMs: now,
    criticality,
    attempt: 1,
    reason: undefined,
    waitedMs: 0,
    lingers: false,
    admitted: () => undefined,
    refused: () => undefined,
  };
  return call;
}

const echoPolicy = policyOfEcho();

function policyOfEcho(): MethodPolicy {
  const policy = readPolicies(EchoService).get(EchoService.method.echo);
  if (policy === undefined) throw new Error("EchoService has no Echo");
  return policy;
}

/** What a simulated server's calls need. */
export interface Work {
  /** Calls that really are worked on at a time, as connections of a pool; the others wait inside, without a bound. */
  readonly places: number;
  readonly workMs: () => number;
  /** Part of it that keeps the process busy. */
  readonly busyMs?: number;
  /** Work whose caller has left is done all the same. */
  readonly stubborn?: boolean;
  /** The contract's. */
  readonly timeoutMs: number;
}

/** What became of the calls that were sent. */
export interface Tally {
  sent: number;
  /** Answered in time. */
  good: number;
  refused: number;
  /** Begun, and answered too late or never. */
  late: number;
  /** Of the good ones, in milliseconds. */
  took: number[];
}

/** A server behind an Admission, and callers who send without waiting for answers. */
export function createSimulation(work: Work) {
  const time = new SimulatedTime();
  const admission = new AdaptiveAdmission({ clock: time, nextTurn: time.nextTurn, every: time.every });
  const inside: { isOver: () => boolean; start: () => void }[] = [];
  let free = work.places;

  const start = (done: () => void): void => {
    free -= 1;
    time.after(work.workMs(), () => {
      free += 1;
      done();
      startNext();
    });
  };
  const startNext = (): void => {
    let next = inside.shift();
    while (!work.stubborn && next?.isOver()) next = inside.shift();
    next?.start();
  };
  const perform = (isOver: () => boolean, done: () => void): void => {
    if (work.busyMs) time.spend(work.busyMs);
    if (free > 0) start(done);
    else inside.push({ isOver, start: () => start(done) });
  };

  const send = (criticality: Criticality, tally: Tally): void => {
    const call = askingCall(time, criticality, work.timeoutMs);
    tally.sent += 1;
    let begun = false;
    const over = new Error("over");
    const end = (settled: boolean): void => {
      call.reason = over;
      admission.leave(call, time.monotonic(), settled);
    };
    call.admitted = () => {
      begun = true;
      perform(
        () => call.reason !== undefined,
        () => {
          if (call.reason !== undefined) {
            admission.settled(call);
            return;
          }
          tally.good += 1;
          tally.took.push(time.monotonic() - call.startedAtMs);
          end(true);
        },
      );
    };
    call.refused = () => {
      call.reason = over;
      tally.refused += 1;
    };
    time.after(work.timeoutMs, () => {
      if (call.reason !== undefined) return;
      tally.late += 1;
      if (begun) end(!work.stubborn);
      else call.reason = over;
    });
    try {
      if (admission.enter(call)) call.admitted();
    } catch {
      call.refused(noError);
    }
  };

  return { time, admission, send };
}

export function emptyTally(): Tally {
  return { sent: 0, good: 0, refused: 0, late: 0, took: [] };
}

const noError = new ConnectError("refused");
