import { expect, test } from "vitest";
import { formatStages, missedStages, type StageCount } from "./stage-counts.ts";

const count = (stage: string, passed: number): StageCount => ({
  ...{ peer: "weft", side: "client", stage, passed, calls: 1_000 },
});

test("a stage that some calls went round is told", () => {
  expect(missedStages([count("deadline", 1_000), count("breaker", 999), count("balancer", 1_001)])).toEqual([
    "weft, client: breaker 999 of 1000 calls",
  ]);
});

test("a table says how many of the calls passed", () => {
  const table = formatStages([count("deadline", 1_000), count("breaker", 999), count("balancer", 1_001)]);
  expect(table).toMatch(/^client +deadline +all$/m);
  expect(table).toMatch(/^client +breaker +99\.90%$/m);
  expect(table).toMatch(/^client +balancer +all, and 1$/m);
});
