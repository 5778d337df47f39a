import { expect, test } from "vitest";
import { addDays, dayOf, formatDay, parseDay } from "./days.ts";

test("days are those of UTC", () => {
  expect(dayOf(Date.parse("2026-11-22T23:59:59.999Z"))).toBe("2026-11-22");
  expect([addDays("2026-12-31", 1), addDays("2026-03-01", -1)]).toEqual(["2027-01-01", "2026-02-28"]);
  expect(formatDay("2026-11-22")).toBe("Sunday, 22 November 2026");
});

test.each([
  ["2026-11-22", "2026-11-22"],
  ["2026-02-30", undefined],
  ["yesterday", undefined],
  ["0000-00-00", undefined],
  [null, undefined],
])("%s in the address is %s", (text, day) => {
  expect(parseDay(text)).toBe(day);
});
