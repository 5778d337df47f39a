import { beforeEach, describe, expect, test } from "vitest";
import { ejectionMs, FailureWindow, Outlier, type OutlierEvent } from "./outlier.ts";

let all: FailureWindow;
let outlier: Outlier;
let nowMs: number;
beforeEach(() => {
  all = new FailureWindow();
  outlier = new Outlier();
  nowMs = 1_000_000;
});

const middle = (): number => 0.5;
const record = (failed: boolean, of = outlier): OutlierEvent => of.record(nowMs, nowMs, failed, all);
/** Calls of another endpoint of the service. */
function others(calls: number, failures: number): void {
  const other = new Outlier();
  for (let n = 0; n < calls; n++) record(n < failures, other);
}

describe("an endpoint is an outlier", () => {
  test("at the fifth failure in a row", () => {
    others(20, 0);
    expect([1, 2, 3, 4, 5].map(() => record(true))).toEqual([undefined, undefined, undefined, undefined, "failing"]);
  });

  test("when half of its calls fail, though never many in a row", () => {
    others(100, 0);
    const events: OutlierEvent[] = [];
    for (let n = 0; n < 6; n++) events.push(record(false), record(true));
    expect(events.slice(0, 9)).not.toContain("failing");
    expect(events.slice(9)).toContain("failing");
  });

  test("even if nothing is known of the others", () => {
    for (let n = 0; n < 4; n++) record(true);
    expect(record(true)).toBe("failing");
  });
});

describe("an endpoint is none", () => {
  test("while fewer fail than answer", () => {
    others(100, 0);
    const events: OutlierEvent[] = [];
    for (let n = 0; n < 300; n++) events.push(record(n % 3 === 0));
    expect(new Set(events)).toEqual(new Set([undefined]));
  });

  test("where all others fail as much", () => {
    others(100, 100);
    const events = Array.from({ length: 50 }, () => record(true));
    expect(new Set(events)).toEqual(new Set([undefined]));
  });

  test("for failures of long ago", () => {
    others(100, 0);
    for (let n = 0; n < 4; n++) record(true);
    record(false);
    for (let n = 0; n < 4; n++) record(true);
    record(false);
    nowMs += 11_000;
    expect(record(true)).toBeUndefined();
  });
});

describe("an ejected endpoint", () => {
  beforeEach(() => outlier.eject(nowMs, middle));

  test("is out twice as long each time, up to a bound", () => {
    const times: number[] = [];
    for (let n = 0; n < 7; n++) {
      times.push(outlier.probeDueAtMs - nowMs);
      nowMs = outlier.probeDueAtMs;
      outlier.probe(nowMs);
      expect(record(true)).toBe("ejected again");
      outlier.eject(nowMs, middle);
    }
    expect(times).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, ejectionMs.max, ejectionMs.max]);
  });

  test("is not out as long for every client", () => {
    const times = [0, 0.999].map((chance) => {
      const other = new Outlier();
      other.eject(0, () => chance);
      return Math.round(other.probeDueAtMs);
    });
    expect(times).toEqual([900, 1_100]);
  });

  test("learns nothing from calls that had begun before", () => {
    const startedAtMs = nowMs - 1;
    nowMs += 500;
    expect(outlier.record(nowMs, startedAtMs, false, all)).toBeUndefined();
    expect(outlier.record(nowMs, startedAtMs, true, all)).toBeUndefined();
    expect(outlier.isEjected).toBe(true);
  });

  test("is taken back by a probe that is answered, and one call later has a clean slate", () => {
    others(20, 0);
    nowMs = outlier.probeDueAtMs;
    outlier.probe(nowMs);
    expect(record(false)).toBe("readmitted");
    outlier.readmit(nowMs, all);
    record(false);
    expect([1, 2, 3, 4].map(() => record(true))).not.toContain("failing");
  });

  test("is out again with the first call that fails after it was taken back", () => {
    others(20, 0);
    outlier.readmit(nowMs, all);
    expect(record(true)).toBe("failing");
  });

  test("gets its next probe when the last one told nothing, or nothing comes of it", () => {
    nowMs = outlier.probeDueAtMs;
    outlier.probe(nowMs);
    expect(outlier.probeDueAtMs).toBe(nowMs + 5_000);
    outlier.nothingLearnt(nowMs + 7, nowMs);
    expect(outlier.probeDueAtMs).toBe(nowMs + 7);
  });

  test("is out longer when it fails again soon, and begins anew when it was well for long", () => {
    const again = (wellForMs: number): number => {
      outlier.readmit(nowMs, all);
      nowMs += wellForMs;
      outlier.eject(nowMs, middle);
      return outlier.probeDueAtMs - nowMs;
    };
    expect([again(10_000), again(10_000), again(61_000)]).toEqual([2_000, 4_000, 1_000]);
  });
});

test("a window forgets a part of it, and all of it in time", () => {
  const part = new FailureWindow();
  for (const window of [all, part]) window.record(4_000, true);
  all.record(4_000, false);
  for (const window of [all, part]) window.record(6_000, false);
  expect([all.calls, all.failures]).toEqual([3, 1]);
  all.forget(7_000, part);
  expect([all.calls, all.failures, part.calls]).toEqual([1, 0, 0]);
  all.record(16_000, true);
  expect([all.calls, all.failures]).toEqual([1, 1]);
});
