import { type Clock, systemClock } from "../contract/clock.ts";

/** How often deadlines are looked at: what has run out is told at most twice as much later. */
const tickMs = 5;
/** One turn of the wheel is 5 s. What is due later is passed by once a turn. */
const slotCount = 1024;
const slotMask = slotCount - 1;

/** Something that ends at a deadline. The last two fields belong to Deadlines: an entry is in one of them at a time. */
export interface Expiring {
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** Told once, after its deadline; the entry is out by then. Must not throw. */
  expire(): void;
  previousDue: Expiring | undefined;
  nextDue: Expiring | undefined;
}

/** The deadlines of all calls in hand, looked at by one timer. To add and to take away costs a few assignments. */
export interface Deadlines {
  /** How many wait. */
  readonly count: number;
  /** An entry without a deadline (Infinity) must not be added. */
  add(entry: Expiring): void;
  /** Takes an entry away; nothing happens if it is not there. */
  remove(entry: Expiring): void;
}

/**
 * Creates a wheel of slots, each a ring of the entries that are due in its 5 ms (Varghese and Lauck, "Hashed and Hierarchical
 * Timing Wheels", scheme 6). A timer of Node's for each call would cost more than the rest of its way.
 */
export function createDeadlines(clock: Clock = systemClock): Deadlines {
  const slots = Array.from({ length: slotCount }, () => new Slot());
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  /** The last slot that has been looked at, counted from the epoch. */
  let lookedAt = 0;

  const sweep = (): void => {
    const nowMs = clock.now();
    const until = Math.floor(nowMs / tickMs);
    // A clock that is set back, or far ahead, must not leave a slot out; nor is one looked at twice for it.
    const first = Math.max(Math.min(lookedAt, until - 1) + 1, until - slotMask);
    for (let slot = first; slot <= until; slot++) {
      // Before its entries are told, since they may add others.
      lookedAt = slot;
      expireSlot(slots[slot & slotMask] as Slot, nowMs);
    }
    if (count > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const expireSlot = (slot: Slot, nowMs: number): void => {
    let entry = slot.nextDue;
    while (entry !== slot) {
      // Read before the entry is told: it may add others, and take others away.
      const next: Expiring = entry.nextDue as Expiring;
      if (entry.deadlineMs <= nowMs) {
        unlink(entry);
        count -= 1;
        entry.expire();
        // What took the next one out leaves it no place to go on from.
        if (next !== slot && next.nextDue === undefined) {
          entry = slot.nextDue;
          continue;
        }
      }
      entry = next;
    }
  };

  return {
    get count() {
      return count;
    },
    add(entry) {
      if (timer === undefined) {
        lookedAt = Math.floor(clock.now() / tickMs);
        timer = setInterval(sweep, tickMs);
      }
      // Never before the deadline, and never in a slot that this turn has passed.
      const due = Math.max(Math.ceil(entry.deadlineMs / tickMs), lookedAt + 1);
      const slot = slots[due & slotMask] as Slot;
      const last = slot.previousDue;
      entry.previousDue = last;
      entry.nextDue = slot;
      last.nextDue = entry;
      slot.previousDue = entry;
      count += 1;
    },
    remove(entry) {
      if (entry.nextDue === undefined) return;
      unlink(entry);
      count -= 1;
    },
  };
}

/** The head of a slot's ring. */
class Slot implements Expiring {
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  previousDue: Expiring = this;
  nextDue: Expiring = this;
  expire(): void {
    throw new Error("a slot has no deadline");
  }
}

function unlink(entry: Expiring): void {
  const { previousDue, nextDue } = entry;
  if (previousDue) previousDue.nextDue = nextDue;
  if (nextDue) nextDue.previousDue = previousDue;
  entry.previousDue = undefined;
  entry.nextDue = undefined;
}

/** The deadlines of this process. As with Node's own timers, there is one set of them for all. */
export const processDeadlines: Deadlines = createDeadlines();
