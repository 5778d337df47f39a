import { expect, test } from "vitest";
import { percentile, runLoad } from "./load.ts";

test("runLoad() keeps exactly so many calls in flight", async () => {
  let inFlight = 0;
  let most = 0;
  const call = async () => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight -= 1;
  };
  const { calls, callsPerSecond } = await runLoad(call, { inFlight: 7, durationMs: 20 });
  expect(most).toBe(7);
  expect(calls).toBeGreaterThanOrEqual(7);
  expect(callsPerSecond).toBeGreaterThan(0);
});

test("runLoad() fails when a call fails", async () => {
  const call = () => Promise.reject(new Error("away"));
  await expect(runLoad(call, { inFlight: 2, durationMs: 20 })).rejects.toThrow("away");
});

test.each([
  [[], 0.5, Number.NaN],
  [[3], 0.99, 3],
  [[4, 1, 3, 2], 0.5, 2],
  [Array.from({ length: 100 }, (_, index) => index + 1), 0.99, 99],
])("percentile of %j at %d is %d", (values, part, expected) => {
  expect(percentile(values, part)).toBe(expected);
});
