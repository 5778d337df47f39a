import { expect, test } from "vitest";
import { checkSample } from "./stock-sampler.ts";

const row = { sku: "TEA", on_hand: "7", held: "2", promised: "2", sold: "3" };
const atFirst = new Map([["TEA", 10]]);

test("a moment at which stock adds up gives no finding, nor does a delivery that has come in", () => {
  expect(checkSample([row, { ...row, on_hand: "8" }], atFirst)).toEqual([]);
});

test.each([
  ["held below zero", { held: "-1", promised: "-1" }, "wrong"],
  ["more held than there is", { on_hand: "1", sold: "9" }, "wrong"],
  ["one unit held for two", { promised: "3" }, "duplicated"],
  ["a unit that is gone", { sold: "2" }, "lost"],
])("%s is found", (_, change, kind) => {
  const invariant = "stock adds up at every moment";
  expect(checkSample([{ ...row, ...change }], atFirst)).toMatchObject([{ invariant, kind, subject: "TEA" }]);
});
