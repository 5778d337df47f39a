import { expect, test } from "vitest";
import { measureInProcess } from "./in-process.ts";

test("calls within a process are measured by the core that they take", async () => {
  const { callsPerSecond, cpuUsPerCall } = await measureInProcess({ rounds: 2, sliceMs: 50, warmUpMs: 50 });
  expect(callsPerSecond).toBeGreaterThan(100);
  expect(callsPerSecond * cpuUsPerCall).toBeLessThan(1.3e6);
}, 30_000);
