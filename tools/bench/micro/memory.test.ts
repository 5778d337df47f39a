import { expect, test } from "vitest";
import { figuresOf, formatMemory, type MemorySample, measureMemory } from "./memory.ts";

test("memory of both processes is looked at on the way", async () => {
  const figures = await measureMemory({ calls: 2_000, samples: 1, timeMs: 20_000 });
  expect(figures.map(({ side }) => side)).toEqual(["client", "server"]);
  for (const { samples } of figures) {
    for (const { heldBytes, residentBytes } of samples) expect(residentBytes).toBeGreaterThan(heldBytes);
  }
  expect(formatMemory(figures)).toMatch(/^[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/m);
}, 40_000);

test("a leak shows as growth, noise does not", () => {
  const sample = (calls: number, heldBytes: number): MemorySample => ({ calls, heldBytes, residentBytes: 400 });
  const leaking = Array.from({ length: 20 }, (_, index) => sample(index, 100 + index * 10));
  const noisy = Array.from({ length: 20 }, (_, index) => sample(index, index % 2 ? 100 : 103));
  expect(figuresOf("server", leaking).heldGrowth).toBeGreaterThan(2);
  expect(figuresOf("server", leaking).residentGrowth).toBe(1);
  expect(figuresOf("server", noisy).heldGrowth).toBeCloseTo(1, 1);
});
