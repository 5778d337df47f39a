import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDeadlines, type Deadlines, type Expiring } from "./deadlines.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

function entryAt(deadlineMs: number, expire: () => void = () => undefined): Expiring {
  return { deadlineMs, expire, previousDue: undefined, nextDue: undefined };
}

/** Adds an entry that writes down when it is told. */
function addIn(deadlines: Deadlines, ms: number, told: number[]): Expiring {
  const entry = entryAt(Date.now() + ms, () => void told.push(Date.now() - 1_000_000));
  deadlines.add(entry);
  return entry;
}

test.each([0, 1, 5, 37, 4_999, 5_120, 5_121, 60_000])("a deadline in %i ms is told then, at most 10 ms late", (ms) => {
  const told: number[] = [];
  addIn(createDeadlines(), ms, told);
  vi.advanceTimersByTime(ms + 10);
  expect(told).toHaveLength(1);
  expect(told[0]).toBeGreaterThanOrEqual(ms);
  vi.advanceTimersByTime(20_000);
  expect(told).toHaveLength(1);
});

test("a deadline that has passed already is told at the next look", () => {
  const told: number[] = [];
  addIn(createDeadlines(), -10_000, told);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(10);
  expect(told).toHaveLength(1);
});

test("what is taken away is not told; taking it away again changes nothing", () => {
  const told: number[] = [];
  const deadlines = createDeadlines();
  const entry = addIn(deadlines, 50, told);
  addIn(deadlines, 50, told);
  deadlines.remove(entry);
  deadlines.remove(entry);
  expect(deadlines.count).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(told).toHaveLength(1);
  deadlines.remove(entry);
  expect(deadlines.count).toBe(0);
});

test("no timer runs while nothing waits", () => {
  const deadlines = createDeadlines();
  const entry = addIn(deadlines, 50, []);
  expect(vi.getTimerCount()).toBe(1);
  deadlines.remove(entry);
  vi.advanceTimersByTime(10);
  expect(vi.getTimerCount()).toBe(0);
  const told: number[] = [];
  addIn(deadlines, 50, told);
  vi.advanceTimersByTime(60);
  expect(told).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("an entry that is told may take its neighbours away and add others", () => {
  const told: string[] = [];
  const deadlines = createDeadlines();
  const at = Date.now() + 20;
  const [b, c] = [entryAt(at, () => void told.push("b")), entryAt(at, () => void told.push("c"))];
  const a = entryAt(at, () => {
    told.push("a");
    deadlines.remove(b);
    deadlines.add(entryAt(at, () => void told.push("later")));
  });
  for (const entry of [a, b, c]) deadlines.add(entry);
  vi.advanceTimersByTime(40);
  expect(told).toEqual(["a", "c", "later"]);
});

test.each([-3_600_000, 3_600_000])("a clock that is set by %i ms loses no deadline", (jumpMs) => {
  const told: number[] = [];
  const deadlines = createDeadlines();
  addIn(deadlines, 100, told);
  vi.setSystemTime(Date.now() + jumpMs);
  // The next look finds out.
  vi.advanceTimersByTime(5);
  addIn(deadlines, 100, told);
  vi.advanceTimersByTime(120);
  // Set back, the older one waits for the hour that it has been given.
  expect(told).toHaveLength(jumpMs > 0 ? 2 : 1);
  vi.advanceTimersByTime(3_600_200);
  expect(told).toHaveLength(2);
});

test("any mix of deadlines, each told once, none early, none more than 10 ms late", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ after: fc.nat(30), ms: fc.nat(12_000) }), { maxLength: 40 }), (steps) => {
      const deadlines = createDeadlines();
      const late: number[] = [];
      for (const { after, ms } of steps) {
        vi.advanceTimersByTime(after);
        const deadlineMs = Date.now() + ms;
        deadlines.add(entryAt(deadlineMs, () => void late.push(Date.now() - deadlineMs)));
      }
      vi.advanceTimersByTime(13_000);
      expect(late).toHaveLength(steps.length);
      expect(late.every((ms) => ms >= 0 && ms <= 10)).toBe(true);
      expect(deadlines.count).toBe(0);
    }),
    { numRuns: 30 },
  );
});
