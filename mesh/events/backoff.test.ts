import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";
import { inList } from "./placeholders.ts";

test("backoffMs() doubles up to its limit, half of it random", () => {
  const backoff = { initialMs: 100, maxMs: 1_000 };
  const waits = (random: number) => [1, 2, 3, 4, 5, 500].map((failures) => backoffMs(backoff, failures, () => random));
  expect(waits(0)).toEqual([50, 100, 200, 400, 500, 500]);
  expect(waits(0.5)).toEqual([75, 150, 300, 600, 750, 750]);
});

test("inList() has as many marks as values, a power of two, and no value that was not given", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 300 }), (given) => {
      const { marks, values } = inList(given);
      expect(marks.split(", ")).toHaveLength(values.length);
      expect(Math.log2(values.length) % 1).toBe(0);
      expect(values.length).toBeLessThan(2 * given.length);
      expect(new Set(values)).toEqual(new Set(given));
    }),
  );
});
