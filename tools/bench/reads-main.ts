import { SEED_PRODUCTS } from "../dev/seed-data.ts";
import type { BenchPlan } from "./plan.ts";
import { runReads } from "./reads.ts";
import { formatReads, readsHeadline, summarizeReads } from "./reads-report.ts";
import { writeResults } from "./results.ts";
import type { BenchRun } from "./run.ts";

const plans = {
  quick: { rounds: 5, sliceMs: 250, warmUpMs: 1_500 },
  full: { rounds: 9, sliceMs: 500, warmUpMs: 3_500 },
} satisfies Record<string, BenchPlan>;

/** Prints what reads of catalog cost with its cache and without, and keeps the figures. */
export async function benchReads(run: BenchRun): Promise<void> {
  const plan = { ...(run.quick ? plans.quick : plans.full), profileDirectory: run.profileDirectory };
  console.log(
    `reads of catalog over the mesh, ${SEED_PRODUCTS.length} products by Zipf's law: with its cache, and without`,
  );
  const products = SEED_PRODUCTS.map((product) => ({ ...product, currencyCode: "EUR" }));
  const reads = (await runReads(plan, products)).map(summarizeReads);
  console.log(`\n${formatReads(reads)}\n`);
  console.log(`medians of ${plan.rounds} rounds (lowest to highest); ratios are the first line's by the second's`);
  if (run.profileDirectory) return console.log(`results not written: the profiles are in ${run.profileDirectory}`);
  await writeResults("reads.json", run, { headline: readsHeadline(reads), reads });
}
