import { writeResults } from "../results.ts";
import type { BenchRun } from "../run.ts";
import { formatMemory, measureMemory } from "./memory.ts";

const plans = {
  quick: { calls: 500_000, samples: 10, timeMs: 30_000 },
  full: { calls: 5_000_000, samples: 20, timeMs: 600_000 },
};

/** Prints what both processes of millions of calls hold, and keeps the figures. */
export async function benchMemory(run: BenchRun): Promise<void> {
  console.log("memory over millions of echo calls, 256 in flight");
  const memory = await measureMemory(run.quick ? plans.quick : plans.full);
  console.log(`\n${formatMemory(memory)}\n`);
  const growths = memory.flatMap(({ side, heldGrowth, residentGrowth }) => [
    [`${side}_held_growth`, heldGrowth],
    [`${side}_resident_growth`, residentGrowth],
  ]);
  await writeResults("memory.json", run, { headline: Object.fromEntries(growths), memory });
}
