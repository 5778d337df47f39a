import { expect, test } from "vitest";
import { endpointCounts, measurePick } from "./pick.ts";

test.each(endpointCounts)("what a pick costs is measured with %d endpoints", (endpoints) => {
  const { nanoseconds } = measurePick(endpoints, 2_000);
  expect(nanoseconds).toBeGreaterThan(10);
  expect(nanoseconds).toBeLessThan(1_000_000);
});
