import { expect, test } from "vitest";
import { formatOperator, parseOperator } from "./operator-header.ts";

test.each([
  ["ada", "ada"],
  ["Ada Łovelace", "Ada Łovelace"],
  ["ada\n\u0007eve", "ada eve"],
  ["x".repeat(500), "x".repeat(128)],
  ["", undefined],
])("the operator %j arrives as %j", (name, seen) => {
  expect(parseOperator(formatOperator(name))).toBe(seen);
});

test("what is not percent-encoded is taken as it is, and nothing is nobody", () => {
  expect(parseOperator("100%")).toBe("100%");
  expect(parseOperator(null)).toBeUndefined();
});
