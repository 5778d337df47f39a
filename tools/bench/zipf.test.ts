import { expect, test } from "vitest";
import { createZipf } from "./zipf.ts";

/** Numbers spread evenly over [0, 1). */
function even(count: number): () => number {
  let next = 0;
  return () => (next++ % count) / count;
}

test("the second is drawn half as often as the first, the tenth a tenth", () => {
  const draws = 100_000;
  const draw = createZipf(1_000, even(draws));
  const counts = new Array<number>(1_000).fill(0);
  for (let index = 0; index < draws; index++) {
    const rank = draw();
    counts[rank] = (counts[rank] ?? 0) + 1;
  }
  const [first = 0, second = 0, tenth = 0] = [counts[0], counts[1], counts[9]];
  expect([second / first, tenth / first].map((ratio) => Math.round(ratio * 100))).toEqual([50, 10]);
});

test("every rank can be drawn, and none beyond", () => {
  expect(new Set(Array.from({ length: 1_000 }, createZipf(5, even(1_000))))).toEqual(new Set([0, 1, 2, 3, 4]));
  expect(createZipf(5, () => 0)()).toBe(0);
  expect(createZipf(5, () => 1 - Number.EPSILON)()).toBe(4);
});
