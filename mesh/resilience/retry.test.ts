import { getEventListeners } from "node:events";
import { Code, type ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { pushbackTrailer } from "../contract/pushback.ts";
import { isRetryable, retryAfter } from "./retry.ts";
import type { RetryBudget } from "./retry-budget.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const policy = {
  maxAttempts: 4,
  initialBackoffMs: 100,
  maxBackoffMs: 1_000,
  attemptTimeoutMs: Number.POSITIVE_INFINITY,
};
const away = (info = {}) => rpcError(Code.Unavailable, "away", info);
function pushedBack(code: Code, value: string): ConnectError {
  const error = rpcError(code, "");
  error.metadata.set(pushbackTrailer, value);
  return error;
}

/** Runs a retry whose attempts all fail; the delays that it waited, and its last error. */
async function waits(
  random: () => number,
  deadlineMs = Number.POSITIVE_INFINITY,
  error = away(),
  budget: RetryBudget | undefined = undefined,
) {
  const delays: number[] = [];
  const onRetry = (_attempt: number, delayMs: number) => void delays.push(delayMs);
  const outcome = retryAfter(error, { policy, deadlineMs, random, onRetry, budget }, () => Promise.reject(error)).catch(
    (thrown: unknown) => thrown,
  );
  await vi.runAllTimersAsync();
  return { delays, outcome: await outcome };
}

test("retryAfter() waits longer each time, with full jitter, and gives up after the last attempt", async () => {
  const error = away();
  const { delays, outcome } = await waits(() => 0.999_999, Number.POSITIVE_INFINITY, error);
  expect(delays.map(Math.round)).toEqual([100, 200, 400]);
  expect(outcome).toBe(error);
  expect((await waits(() => 0)).delays).toEqual([0, 0, 0]);
});

test("retryAfter() stops at the deadline", async () => {
  const { delays } = await waits(() => 0.999_999, Date.now() + 250);
  expect(delays.map(Math.round)).toEqual([100]);
});

test("retryAfter() waits at least as long as the server asks", async () => {
  const { delays } = await waits(() => 0, Number.POSITIVE_INFINITY, away({ retryDelayMs: 700 }));
  expect(delays).toEqual([700, 700, 700]);
});

test("retryAfter() waits at least as long as gRPC's push-back says, which comes before any other word", async () => {
  const error = away({ retryDelayMs: 700 });
  error.metadata.set(pushbackTrailer, "50");
  expect((await waits(() => 0, Number.POSITIVE_INFINITY, error)).delays).toEqual([50, 50, 50]);
});

test("retryAfter() makes no attempt that the budget does not pay for, and asks it for none that would not be made", async () => {
  let asked = 0;
  const budget = { earn: () => undefined, balance: 0, spend: () => ++asked <= 2 };
  expect((await waits(() => 0, Number.POSITIVE_INFINITY, away(), budget)).delays).toHaveLength(2);
  expect(asked).toBe(3);
  await waits(() => 0.9, Date.now() + 1, away(), budget);
  await waits(() => 0, Number.POSITIVE_INFINITY, rpcError(Code.NotFound, "no"), budget);
  expect(asked).toBe(3);
});

test("retryAfter() ends at once when its caller leaves during a wait, and makes no further attempt", async () => {
  const abort = new AbortController();
  let attempts = 0;
  const error = away({ retryDelayMs: 1_000 });
  const options = { policy, deadlineMs: Number.POSITIVE_INFINITY, signal: abort.signal };
  const outcome = retryAfter(error, options, async () => {
    attempts += 1;
    throw abort.signal.reason;
  }).catch((thrown: unknown) => thrown);
  await vi.advanceTimersByTimeAsync(100);
  abort.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(await Promise.race([outcome, "still waiting"])).toMatchObject({ code: Code.Canceled });
  expect(attempts).toBe(0);
});

test("retryAfter() leaves no listener on the signal of a call that has ended", async () => {
  const { signal } = new AbortController();
  const options = { policy, deadlineMs: Number.POSITIVE_INFINITY, signal };
  const outcome = retryAfter(away(), options, async () => "here");
  await vi.runAllTimersAsync();
  await outcome;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("retryAfter() returns the first answer that comes", async () => {
  const attempts: number[] = [];
  const outcome = retryAfter(away(), { policy, deadlineMs: Number.POSITIVE_INFINITY }, async (attempt) => {
    attempts.push(attempt);
    if (attempt < 3) throw away();
    return "here";
  });
  await vi.runAllTimersAsync();
  expect(await outcome).toBe("here");
  expect(attempts).toEqual([2, 3]);
});

test("no wait is ever longer than the contract's bound", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 3 }),
      async (draws) => {
        let index = 0;
        const { delays } = await waits(() => draws[index++ % draws.length] ?? 0);
        expect(delays).toHaveLength(3);
        for (const [n, delay] of delays.entries()) expect(delay).toBeLessThanOrEqual(Math.min(1_000, 100 * 2 ** n));
      },
    ),
    { numRuns: 50 },
  );
});

test.each([
  [rpcError(Code.Unavailable, ""), true],
  [rpcError(Code.DeadlineExceeded, ""), true],
  [rpcError(Code.ResourceExhausted, "", { retryDelayMs: 5 }), true],
  [rpcError(Code.ResourceExhausted, ""), false],
  [rpcError(Code.Unavailable, "", { reason: "BREAKER_OPEN" }), false],
  [pushedBack(Code.Unavailable, "-1"), false],
  [pushedBack(Code.ResourceExhausted, "-1"), false],
  [pushedBack(Code.ResourceExhausted, "20"), true],
  [pushedBack(Code.Internal, "20"), false],
  [rpcError(Code.Internal, ""), false],
  [rpcError(Code.Aborted, ""), false],
  [rpcError(Code.Canceled, ""), false],
  [new Error("something else"), false],
])("isRetryable(%s) is %s", (error, expected) => {
  expect(isRetryable(error)).toBe(expected);
});
