import fc from "fast-check";
import { expect, test } from "vitest";
import { createLatencyQuantile } from "./latency-quantile.ts";

function p95(samples: readonly number[]): number | undefined {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1];
}

test("the estimate is the exact p95 of the latest 512 calls, at most 32 calls old", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { maxLength: 1_500 }), (samples) => {
      const quantile = createLatencyQuantile(0.95);
      for (const sample of samples) quantile.record(sample);
      const seen = samples.length - (samples.length % 32);
      expect(quantile.ms).toBe(seen < 64 ? undefined : p95(samples.slice(Math.max(0, seen - 512), seen)));
    }),
    { numRuns: 50 },
  );
});

test("a few slow calls do not move it, and it forgets those of long ago", () => {
  const quantile = createLatencyQuantile(0.95);
  for (let call = 0; call < 512; call++) quantile.record(call % 25 === 0 ? 500 : 2);
  expect(quantile.ms).toBe(2);
  for (let call = 0; call < 512; call++) quantile.record(500);
  expect(quantile.ms).toBe(500);
  for (let call = 0; call < 512; call++) quantile.record(3);
  expect(quantile.ms).toBe(3);
});
