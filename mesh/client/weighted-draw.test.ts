import fc from "fast-check";
import { expect, test } from "vitest";
import { createWeightedDraw } from "./weighted-draw.ts";

/** How often each index comes when every chance comes once. */
function sharesOf(weights: readonly number[], draws = 20_000): number[] {
  const draw = createWeightedDraw(weights);
  const shares = weights.map(() => 0);
  for (let step = 0; step < draws; step++) {
    const index = draw(step / draws);
    shares[index] = (shares[index] ?? 0) + 1 / draws;
  }
  return shares;
}

test("each index comes as often as its weight says", () => {
  const weights = fc.array(fc.double({ min: 0.001, max: 1_000, noNaN: true }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(weights, (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [index, share] of sharesOf(weights).entries()) {
        // A column's two borders are rounded to a step each.
        expect(Math.abs(share - (weights[index] ?? 0) / total)).toBeLessThan((2 * weights.length + 1) / 20_000);
      }
    }),
    { numRuns: 50 },
  );
});

test("of equal weights all come alike", () => {
  expect(sharesOf([7, 7, 7, 7]).map((share) => share.toFixed(3))).toEqual(["0.250", "0.250", "0.250", "0.250"]);
});
