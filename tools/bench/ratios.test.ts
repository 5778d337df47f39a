import { expect, test } from "vitest";
import { compare } from "./ratios.ts";

test("compare() takes the ratio of each round, so that a slow round disturbs no ratio", () => {
  const { ratio } = compare([100, 10, 100], [100, 10, 100], [50, 5, 50]);
  expect(ratio).toEqual({ median: 2, low: 2, high: 2 });
});

test("compare() calls a difference within the noise no difference", () => {
  expect(compare([105, 100, 110], [100, 110, 100], [100, 100, 100])).toMatchObject({ significant: false });
  expect(compare([155, 150, 160], [150, 160, 150], [100, 100, 100])).toMatchObject({ significant: true });
});
