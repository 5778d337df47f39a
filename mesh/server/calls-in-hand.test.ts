import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { errorReason, notRunReason } from "../contract/errors.ts";
import { type CallInHand, createCallsInHand } from "./calls-in-hand.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface TestCall extends CallInHand {
  reason: ConnectError | undefined;
}

function start(call: { streaming?: boolean; leftMs?: number } = {}): TestCall {
  const { streaming = false, leftMs = 1_000 } = call;
  return {
    streaming,
    deadlineMs: Date.now() + leftMs,
    reason: undefined,
    cancel(reason) {
      this.reason = reason;
    },
    previousInHand: undefined,
    nextInHand: undefined,
  };
}

function thrownBy(fn: () => void): ConnectError {
  try {
    fn();
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("nothing was thrown");
}

test("drain() waits for the calls in hand and cancels none that ends in time", async () => {
  const calls = createCallsInHand();
  const [first, second] = [start(), start({ streaming: true })];
  for (const call of [first, second]) calls.add(call);
  let drained = false;
  const draining = calls.drain(10_000).then(() => {
    drained = true;
  });
  for (const call of [first, second]) {
    await vi.advanceTimersByTimeAsync(500);
    expect(drained).toBe(false);
    calls.remove(call);
  }
  await draining;
  expect([first.reason, second.reason, calls.count, vi.getTimerCount()]).toEqual([undefined, undefined, 0, 0]);
});

test("drain() admits no more calls, and is over at once when there are none", async () => {
  const calls = createCallsInHand();
  const first = start();
  calls.add(first);
  calls.remove(first);
  calls.remove(first);
  expect(calls.count).toBe(0);
  await calls.drain(10_000);
  const refusal = thrownBy(() => calls.add(start()));
  expect(refusal).toMatchObject({ code: Code.Unavailable });
  expect(errorReason(refusal)).toBe(notRunReason);
});

test.each([Number.POSITIVE_INFINITY, 60_000])(
  "drain() ends a stream that has %d ms left, for its caller to go elsewhere",
  (leftMs) => {
    const calls = createCallsInHand();
    const [stream, unary] = [start({ streaming: true, leftMs }), start({ leftMs })];
    for (const call of [stream, unary]) calls.add(call);
    void calls.drain(10_000);
    expect(stream.reason).toMatchObject({ code: Code.Unavailable });
    expect(unary.reason).toBeUndefined();
  },
);

test("drain() cancels what is left when its time is over", async () => {
  const calls = createCallsInHand();
  const stuck = start({ leftMs: 60_000 });
  calls.add(stuck);
  const draining = calls.drain(10_000);
  await vi.advanceTimersByTimeAsync(10_000);
  await draining;
  expect(stuck.reason).toMatchObject({ code: Code.Unavailable });
});
