import { describe, expect, test } from "vitest";
import { ConcurrencyLimit, limitAtStart, limitMin } from "./concurrency-limit.ts";

/** Lets calls end, one each everyMs, each of which took tookMs of 1,000. */
function ending(
  limit: ConcurrencyLimit,
  fromMs: number,
  forMs: number,
  everyMs: number,
  tookMs: number,
  inHand: number,
) {
  for (let nowMs = fromMs + everyMs; nowMs <= fromMs + forMs; nowMs += everyMs) {
    limit.ended(inHand, nowMs - tookMs, nowMs, 1_000);
  }
  return fromMs + forMs;
}

describe("ConcurrencyLimit", () => {
  test("leaves alone a server whose calls are in time, however many", () => {
    const limit = new ConcurrencyLimit(0);
    ending(limit, 0, 10_000, 1, 499, 499);
    expect(limit.current).toBe(limitAtStart);
  });

  test("is cut when calls are late, to where they would take a third of their time", () => {
    const limit = new ConcurrencyLimit(0);
    ending(limit, 0, 500, 2, 600, 250);
    // One every two milliseconds, 350 ms each.
    expect(limit.current).toBeGreaterThan(160);
    expect(limit.current).toBeLessThan(180);
  });

  test("is cut once for the calls that were in hand then", () => {
    const limit = new ConcurrencyLimit(0);
    const at = ending(limit, 0, 500, 2, 600, 250);
    const once = limit.current;
    expect(once).toBeLessThan(limitAtStart);
    ending(limit, at, 90, 2, 600, 250);
    expect(limit.current).toBe(once);
  });

  test("does not go below its floor, nor is it cut for few calls that are late: their number is not why", () => {
    const few = new ConcurrencyLimit(0);
    ending(few, 0, 20_000, 100, 900, limitMin);
    expect(few.current).toBe(limitAtStart);
    const many = new ConcurrencyLimit(0);
    ending(many, 0, 60_000, 50, 2_000, 500);
    expect(many.current).toBe(limitMin);
  });

  test("takes no notice of calls that came with too little time", () => {
    const limit = new ConcurrencyLimit(0);
    for (let nowMs = 0; nowMs < 5_000; nowMs++) limit.ended(500, nowMs - 30, nowMs, Number.POSITIVE_INFINITY);
    expect(limit.current).toBe(limitAtStart);
  });

  test("comes back within seconds once calls are in time", () => {
    const limit = new ConcurrencyLimit(0);
    const at = ending(limit, 0, 60_000, 50, 2_000, 500);
    expect(limit.current).toBe(limitMin);
    ending(limit, at + 2_000, 7_000, 50, 10, 1);
    expect(limit.current).toBe(limitAtStart);
  });

  test("grows while calls find no room and are fast, no further than is of use, and not for ever", () => {
    const limit = new ConcurrencyLimit(0);
    for (let nowMs = 0; nowMs < 30_000; nowMs += 0.25) {
      limit.foundFull();
      limit.ended(512, nowMs - 100, nowMs, 1_000);
    }
    // Four a millisecond, 250 ms each.
    expect(limit.current).toBeGreaterThan(850);
    expect(limit.current).toBeLessThan(1_010);
    ending(limit, 30_000, 60_000, 1, 100, 100);
    expect(limit.current).toBe(limitAtStart);
  });
});
