import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelSource } from "../context/cancel-source.ts";
import { createCallsInHand } from "./calls-in-hand.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(call: { streaming?: boolean; leftMs?: number } = {}) {
  const { streaming = false, leftMs = 1_000 } = call;
  return { streaming, deadlineMs: Date.now() + leftMs, cancel: new CancelSource() };
}

test("drain() waits for the calls in hand and cancels none that ends in time", async () => {
  const calls = createCallsInHand();
  const [first, second] = [start(), start({ streaming: true })];
  const ends = [calls.add(first), calls.add(second)];
  let drained = false;
  const draining = calls.drain(10_000).then(() => {
    drained = true;
  });
  for (const end of ends) {
    await vi.advanceTimersByTimeAsync(500);
    expect(drained).toBe(false);
    end();
  }
  await draining;
  expect([first.cancel.reason, second.cancel.reason, calls.count, vi.getTimerCount()]).toEqual([
    undefined,
    undefined,
    0,
    0,
  ]);
});

test("drain() admits no more calls, and is over at once when there are none", async () => {
  const calls = createCallsInHand();
  calls.admit();
  await calls.drain(10_000);
  expect(() => calls.admit()).toThrow("the server is going away");
});

test.each([Number.POSITIVE_INFINITY, 60_000])(
  "drain() ends a stream that has %d ms left, for its caller to go elsewhere",
  (leftMs) => {
    const calls = createCallsInHand();
    const [stream, unary] = [start({ streaming: true, leftMs }), start({ leftMs })];
    for (const call of [stream, unary]) calls.add(call);
    void calls.drain(10_000);
    expect(stream.cancel.reason).toMatchObject({ code: Code.Unavailable });
    expect(unary.cancel.reason).toBeUndefined();
  },
);

test("drain() cancels what is left when its time is over", async () => {
  const calls = createCallsInHand();
  const stuck = start({ leftMs: 60_000 });
  calls.add(stuck);
  const draining = calls.drain(10_000);
  await vi.advanceTimersByTimeAsync(10_000);
  await draining;
  expect(stuck.cancel.reason).toMatchObject({ code: Code.Unavailable });
});
