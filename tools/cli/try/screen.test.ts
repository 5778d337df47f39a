import { expect, test } from "vitest";
import { formatLine, formatScreen, type View } from "./screen.ts";
import type { TrackedCall } from "./traffic.ts";

const call = (replica: string | undefined, startedAtMs: number, tookMs = 2): TrackedCall => ({
  ...{ idempotent: true, startedAtMs, tookMs, replica },
  code: replica === undefined ? "Unavailable" : undefined,
});
const view: View = {
  replicas: [
    { name: "echo-1", state: "up" },
    { name: "echo-2", state: "frozen" },
  ],
  chosen: 1,
  way: "auto",
  traffic: {
    calls: [
      call("echo-2", 1_000),
      call("echo-1", 9_100),
      call("echo-1", 9_200),
      call("echo-1", 9_300),
      call(undefined, 9_400),
    ],
    totals: { calls: 1_234, failedIdempotent: 0, failedOnce: 1 },
    inFlight: 3,
  },
  news: Array.from({ length: 9 }, (_, index) => `news ${index}`),
  nowMs: 10_000,
};

test("the screen shows each replica's part of the last second, failures and the latest news", () => {
  const text = formatScreen(view).join("\n");
  expect(text).toMatch(/^ {2}1 +echo-1 +up +#{15} +75% +3 +2\.0 ms$/m);
  expect(text).toMatch(/^> 2 +echo-2 +frozen +0% +0 +-$/m);
  expect(text).toContain("last second 4 calls, 1 failed, p99 2.0 ms, 3 in flight");
  expect(text).toContain("1,234 calls; failed: 0 that may run twice, 1 that may not");
  expect(text).not.toContain("news 2");
  expect(text).toContain("news 8");
});

test("where there is no screen, a line says the same", () => {
  expect(formatLine(view)).toBe("auto: 4 calls/s (echo-1 up 3, echo-2 frozen 0), p99 2.0 ms, failed so far 0 + 1");
});
