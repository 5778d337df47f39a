import { describe, expect, test } from "vitest";
import { parseHeader, parseTimeoutMs } from "./options.ts";

describe("--timeout", () => {
  test.each([
    ["500ms", 500],
    ["3s", 3_000],
    ["1.5s", 1_500],
    ["2m", 120_000],
  ])("reads %s", (text, ms) => {
    expect(parseTimeoutMs(text)).toBe(ms);
  });
  test.each(["3", "", "0s", "-1s", "3h", "soon"])("refuses %j", (text) => {
    expect(() => parseTimeoutMs(text)).toThrow(/unit/);
  });
});

describe("--header", () => {
  test("collects several, names in lower case", () => {
    expect(parseHeader("b:2", parseHeader("A: x: y"))).toEqual([
      ["a", "x: y"],
      ["b", "2"],
    ]);
  });
  test.each(["no colon", ": no name", "bad name: x", "x: ünïcode"])("refuses %j", (text) => {
    expect(() => parseHeader(text)).toThrow();
  });
});
