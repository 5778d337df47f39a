import { expect, test } from "vitest";
import { categoryTitle, counted } from "./words.ts";

test("categories and counts read like English", () => {
  expect(categoryTitle("home-textiles")).toBe("Home textiles");
  expect([counted(1n, "thing"), counted(0, "thing"), counted(1_370n, "thing")]).toEqual([
    "1 thing",
    "0 things",
    "1,370 things",
  ]);
});
