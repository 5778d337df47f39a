import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createWaitList, type Waiter } from "./wait-list.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Recorded implements Waiter {
  dueAt = 0;
  waiting = false;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  readonly at: number[] = [];
  due(): void {
    this.at.push(performance.now());
  }
}

type Step =
  | { readonly kind: "add"; readonly delayMs: number }
  | { readonly kind: "remove"; readonly index: number }
  | { readonly kind: "pass"; readonly ms: number };

const step = fc.oneof(
  fc.record<Step & { kind: "add" }>({ kind: fc.constant("add"), delayMs: fc.integer({ min: 0, max: 50 }) }),
  fc.record<Step & { kind: "remove" }>({ kind: fc.constant("remove"), index: fc.nat(30) }),
  fc.record<Step & { kind: "pass" }>({ kind: fc.constant("pass"), ms: fc.integer({ min: 0, max: 20 }) }),
);

test("whatever is added is due once, in its time, unless it is removed before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = createWaitList();
      const added: { waiter: Recorded; dueAt: number; removed: boolean }[] = [];
      for (const event of steps) {
        if (event.kind === "add") {
          const waiter = new Recorded();
          list.add(waiter, event.delayMs);
          added.push({ waiter, dueAt: performance.now() + event.delayMs, removed: false });
        } else if (event.kind === "remove") {
          const entry = added[event.index];
          if (entry?.waiter.waiting) entry.removed = true;
          if (entry) list.remove(entry.waiter);
        } else vi.advanceTimersByTime(event.ms);
        expect(list.length).toBe(added.filter(({ waiter }) => waiter.waiting).length);
      }
      vi.advanceTimersByTime(60);
      for (const { waiter, dueAt, removed } of added) {
        expect(waiter.at).toHaveLength(removed ? 0 : 1);
        // A timer waits at least one millisecond.
        for (const at of waiter.at) expect([dueAt, dueAt + 1]).toContain(at);
      }
      expect([list.length, vi.getTimerCount()]).toEqual([0, 0]);
    }),
  );
});

test("many that are called off share a timer", () => {
  const list = createWaitList();
  const set = vi.spyOn(globalThis, "setTimeout");
  for (let call = 0; call < 1_000; call++) {
    const waiter = new Recorded();
    list.add(waiter, 10);
    list.remove(waiter);
  }
  expect(set).toHaveBeenCalledTimes(1);
  expect(list.length).toBe(0);
});

test("one that is due and adds itself again waits anew", () => {
  const list = createWaitList();
  class Again extends Recorded {
    override due(): void {
      super.due();
      if (this.at.length < 3) list.add(this, 10);
    }
  }
  const again = new Again();
  const startedAt = performance.now();
  list.add(again, 10);
  vi.advanceTimersByTime(100);
  expect(again.at.map((at) => at - startedAt)).toEqual([10, 20, 30]);
});

test("one that throws does not hold up those behind it", () => {
  const list = createWaitList();
  class Thrower extends Recorded {
    override due(): void {
      throw new Error("no");
    }
  }
  const behind = new Recorded();
  list.add(new Thrower(), 5);
  list.add(behind, 5);
  expect(() => vi.advanceTimersByTime(20)).toThrow("no");
  vi.advanceTimersByTime(20);
  expect(behind.at).toHaveLength(1);
});
