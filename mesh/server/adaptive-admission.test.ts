import { Code, ConnectError } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";
import type { Criticality } from "../contract/criticality.ts";
import { errorReason, overloadedReason, retryDelayMs } from "../contract/errors.ts";
import { AdaptiveAdmission } from "./adaptive-admission.ts";
import { limitAtStart } from "./concurrency-limit.ts";
import { askingCall, SimulatedTime } from "./testing-overload.ts";

let time: SimulatedTime;
let admission: AdaptiveAdmission;
let overloads: boolean[];

beforeEach(() => {
  time = new SimulatedTime();
  overloads = [];
  const onOverload = (overloaded: boolean): void => void overloads.push(overloaded);
  admission = new AdaptiveAdmission({ clock: time, nextTurn: time.nextTurn, every: time.every, onOverload });
});

interface Entered {
  begunMs?: number;
  error?: ConnectError;
  /** Its caller leaves. */
  leave(): void;
}

function enter(criticality: Criticality = "default", timeoutMs = 10_000): Entered {
  const call = askingCall(time, criticality, timeoutMs);
  const entered: Entered = {
    leave() {
      call.reason = new Error("left");
    },
  };
  call.admitted = () => {
    entered.begunMs = time.monotonic();
  };
  call.refused = (error) => {
    entered.error = error;
  };
  try {
    if (admission.enter(call)) call.admitted();
  } catch (error) {
    call.refused(ConnectError.from(error));
  }
  return entered;
}

function leave(count = 1): void {
  const call = askingCall(time, "default", 10_000);
  for (let left = 0; left < count; left++) admission.leave(call, time.monotonic() + 1, true);
}

/** Takes all room. */
function fill(): void {
  for (let count = 0; count < limitAtStart; count++) enter();
}

const passing = (ms: number): void => time.runUntil(time.monotonic() + ms);

describe("a server with room", () => {
  test("lets calls begin at once, the first and those after a rest too", () => {
    expect(enter().begunMs).toBe(0);
    leave();
    passing(60_000);
    expect(enter().begunMs).toBe(60_000);
    expect(admission.load).toMatchObject({ limit: limitAtStart, inHand: 1, waiting: 0 });
  });

  test("refuses nobody of a burst that it can take in while it waits", () => {
    const calls = Array.from({ length: 3_000 }, () => enter());
    for (let round = 0; round < 12; round++) {
      passing(15);
      leave(admission.load.inHand);
    }
    passing(1);
    expect(calls.filter(({ begunMs }) => begunMs === undefined)).toEqual([]);
  });

  test("lets the calls that a long turn of the event loop brings wait for the next one, the critical first", () => {
    enter();
    const late: Entered[] = [];
    time.arrives(5, () => {
      time.spend(60);
      late.push(enter("sheddable"), enter("critical"));
      expect(late.map(({ begunMs }) => begunMs)).toEqual([undefined, undefined]);
    });
    passing(6);
    expect(late.map(({ begunMs }) => begunMs)).toEqual([65, 65]);
  });
});

describe("a full server", () => {
  beforeEach(fill);

  test("lets calls wait, and begin as others end, the critical before the others", () => {
    const [sheddable, ordinary, critical] = [enter("sheddable"), enter("default"), enter("critical")];
    passing(10);
    expect([sheddable, ordinary, critical].map(({ begunMs }) => begunMs)).toEqual([undefined, undefined, undefined]);
    leave();
    passing(1);
    expect([sheddable, ordinary, critical].map(({ begunMs }) => begunMs)).toEqual([undefined, undefined, 10]);
    leave(2);
    passing(1);
    expect([sheddable, ordinary].map(({ begunMs }) => begunMs)).toEqual([11, 11]);
  });

  test("gives no turn to a call whose caller has left", () => {
    const left = enter();
    const next = enter();
    left.leave();
    leave();
    passing(1);
    expect([left.begunMs, next.begunMs]).toEqual([undefined, 0]);
  });

  test("keeps the place of a call whose caller has left until its handler ends, or has taken twice as long again", () => {
    const [first, second] = [askingCall(time, "default", 100), askingCall(time, "default", 100)];
    const [next, last] = [enter(), enter()];
    passing(50);
    admission.leave(first, 50, false);
    admission.leave(second, 50, false);
    passing(10);
    expect([next.begunMs, last.begunMs]).toEqual([undefined, undefined]);
    admission.settled(first);
    passing(1);
    expect([next.begunMs, last.begunMs]).toEqual([60, undefined]);
    passing(100);
    expect(last.begunMs).toBe(150);
    admission.settled(second);
    expect(admission.load.inHand).toBe(limitAtStart);
  });

  test("refuses a call that has waited for a quarter of a second, and says when to try again", () => {
    const call = enter();
    passing(240);
    expect(call.error).toBeUndefined();
    passing(30);
    expect(call.error?.code).toBe(Code.ResourceExhausted);
    expect(call.error && errorReason(call.error)).toBe(overloadedReason);
    expect(call.error && retryDelayMs(call.error)).toBeGreaterThanOrEqual(100);
    expect(admission.load.refused.default.waited).toBe(1);
    leave();
    passing(1);
    expect(call.begunMs).toBeUndefined();
  });

  test("does not keep a call waiting that would have no time left", () => {
    // Two come and one begins every 10 ms, so that some always wait.
    for (let count = 0; count < 80; count++) {
      enter();
      enter();
      leave();
      passing(10);
    }
    const hurried = enter("default", 30);
    expect(hurried.error && errorReason(hurried.error)).toBe(overloadedReason);
    expect(admission.load.refused.default.no_time).toBeGreaterThan(0);
    expect(enter("critical", 30).error).toBeUndefined();
  });

  test("lets a critical call take the place of another when too many wait", () => {
    const sheddable = Array.from({ length: 4_096 }, () => enter("sheddable"));
    expect(enter("sheddable").error && admission.load.refused.sheddable.full).toBe(1);
    expect(enter("critical").error).toBeUndefined();
    expect(sheddable.at(-1)?.error && admission.load.refused.sheddable.displaced).toBe(1);
    expect(admission.load.waiting).toBe(4_096);
  });

  test("asks those refused to wait the longer the more they are, and tells once that it has too much to do", () => {
    const refusals: Entered[] = [];
    for (let tenth = 0; tenth < 20; tenth++) {
      for (let count = 0; count < 50; count++) refusals.push(enter());
      leave(10);
      passing(100);
    }
    const delays = refusals.flatMap(({ error }) => (error ? [retryDelayMs(error) ?? 0] : []));
    expect(delays[0]).toBe(100);
    expect(delays.at(-1)).toBeGreaterThan(300);
    expect(overloads).toEqual([true]);
    passing(3_000);
    expect(overloads).toEqual([true, false]);
  });
});
