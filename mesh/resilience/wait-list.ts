import { type Clock, systemClock } from "../contract/clock.ts";

/** What waits in a list: an object of the caller's with fields for the list, so that waiting makes none. */
export interface Waiter {
  /** Monotonic milliseconds. The list's, as the next three: false and undefined at first. */
  dueAt: number;
  /** False again once it is due or removed. */
  waiting: boolean;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  due(): void;
}

/** Waits of about the same length, of which most are called off: to add and to remove one costs a few assignments. */
export interface WaitList {
  /** Calls waiter.due() in delayMs or, as timers are, a little later. One that waits already cannot be added. */
  add(waiter: Waiter, delayMs: number): void;
  /** Calls it off; nothing if it does not wait. */
  remove(waiter: Waiter): void;
  readonly length: number;
}

/**
 * Creates a list sorted by when its waiters are due, with one timer for the first. The timer is not called off with its
 * waiter, but rings and finds nothing to do: a timer for each call would cost more than the call's other steps.
 */
export function createWaitList(clock: Clock = systemClock): WaitList {
  let first: Waiter | undefined;
  let last: Waiter | undefined;
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  let ringsAt = Number.POSITIVE_INFINITY;

  const unlink = (waiter: Waiter): void => {
    if (waiter.previous) waiter.previous.next = waiter.next;
    else first = waiter.next;
    if (waiter.next) waiter.next.previous = waiter.previous;
    else last = waiter.previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    waiter.waiting = false;
    length -= 1;
  };
  const ring = (): void => {
    timer = undefined;
    ringsAt = Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    try {
      while (first && first.dueAt <= now) {
        const waiter = first;
        unlink(waiter);
        waiter.due();
      }
    } finally {
      if (first) setAlarm(first.dueAt, now);
    }
  };
  const setAlarm = (dueAt: number, now: number): void => {
    if (dueAt >= ringsAt) return;
    clearTimeout(timer);
    ringsAt = dueAt;
    timer = setTimeout(ring, Math.max(1, Math.ceil(dueAt - now)));
    timer.unref();
  };
  /** The last that is due no later. Waits are of about the same length, so few steps lead there. */
  const before = (dueAt: number): Waiter | undefined => {
    let earlier = last;
    while (earlier && earlier.dueAt > dueAt) earlier = earlier.previous;
    return earlier;
  };

  return {
    add(waiter, delayMs) {
      const now = clock.monotonic();
      waiter.dueAt = now + delayMs;
      waiter.waiting = true;
      waiter.previous = before(waiter.dueAt);
      waiter.next = waiter.previous ? waiter.previous.next : first;
      if (waiter.previous) waiter.previous.next = waiter;
      else first = waiter;
      if (waiter.next) waiter.next.previous = waiter;
      else last = waiter;
      length += 1;
      setAlarm(waiter.dueAt, now);
    },
    remove(waiter) {
      if (waiter.waiting) unlink(waiter);
    },
    get length() {
      return length;
    },
  };
}
