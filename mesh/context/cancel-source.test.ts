import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelSource } from "./cancel-source.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const reason = new Error("left");

test("cancel() tells listeners and the signal once, with the first reason", () => {
  const source = new CancelSource();
  const told: Error[] = [];
  source.onCancel((why) => told.push(why));
  const { signal } = source;
  source.cancel(reason);
  source.cancel(new Error("too late"));
  expect([told, source.reason, signal.aborted, signal.reason]).toEqual([[reason], reason, true, reason]);
});

test("whoever asks after the cancel is told at once", () => {
  const source = new CancelSource();
  source.cancel(reason);
  const told: Error[] = [];
  source.onCancel((why) => told.push(why));
  expect(told).toEqual([reason]);
  expect(source.signal.reason).toBe(reason);
});

test("whoever has left is not told, the others are, be they functions or objects", () => {
  const source = new CancelSource();
  const told: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => ({ cancelled: () => void told.push(name) }));
  if (!a || !b || !c) throw new Error("three");
  for (const listener of [a, b, c]) source.onCancel(listener);
  source.onCancel(() => told.push("function"));
  source.offCancel(b);
  source.offCancel(b);
  source.cancel(reason);
  source.offCancel(a);
  expect(told.sort()).toEqual(["a", "c", "function"]);
});

test("cancelAfter() cancels when the time is over, and not if it is called off", () => {
  const [kept, calledOff] = [new CancelSource(), new CancelSource()];
  kept.cancelAfter(100, () => reason);
  calledOff.cancelAfter(100, () => reason)();
  vi.advanceTimersByTime(99);
  expect(kept.reason).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect([kept.reason, calledOff.reason]).toEqual([reason, undefined]);
});

test.each([-5, 0])("cancelAfter(%d) cancels as soon as it can", (ms) => {
  const source = new CancelSource();
  source.cancelAfter(ms, () => reason);
  vi.advanceTimersByTime(1);
  expect(source.reason).toBe(reason);
});

test.each([2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY])("cancelAfter(%d) is no timer of 1 ms", (ms) => {
  const source = new CancelSource();
  source.cancelAfter(ms, () => reason);
  vi.advanceTimersByTime(60_000);
  expect([source.reason, vi.getTimerCount()]).toEqual([undefined, 0]);
});
