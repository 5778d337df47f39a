import { mkdir, writeFile } from "node:fs/promises";
import { formatProfiles, readProfiles } from "./profile.ts";
import { formatOrders, formatStatements, ordersHeadline, summarizeOrders } from "./report.ts";
import { type OrdersPlan, profileOrders, runOrders } from "./run.ts";

export interface OrdersBench {
  readonly quick: boolean;
  /** Profiles are written there, and nothing is compared: profiling slows what it looks at. */
  readonly profileDirectory: string | undefined;
  /** A second checkout, with its dependencies, to compare with. */
  readonly before: string | undefined;
  /** Why the figures are not to be kept. */
  readonly unfit: string | undefined;
  /** What the figures were measured on. */
  readonly machine: object;
}

const plans = {
  quick: { rounds: 2, sliceMs: 1_500, warmUpMs: 4_500, recordedMin: 20 },
  full: { rounds: 7, sliceMs: 5_000, warmUpMs: 15_000, recordedMin: 60 },
} satisfies Record<string, OrdersPlan>;
const profiled = { warmUpMs: 5_000, durationMs: 10_000 };
const results = new URL("../results/orders.json", import.meta.url);

/** Prints what an order through the edge costs beside its SQL statements by bare mysql2, and keeps the figures. */
export async function benchOrders({ quick, profileDirectory, before, unfit, machine }: OrdersBench): Promise<void> {
  const startedAt = performance.now();
  if (profileDirectory) {
    await mkdir(profileDirectory, { recursive: true });
    const { orders, fromUs } = await profileOrders(profileDirectory, profiled);
    console.log(`\n${formatProfiles(await readProfiles(profileDirectory, fromUs), orders)}\n`);
    console.log(`${orders} orders, 16 in flight; the profiles are in ${profileDirectory}`);
    return;
  }
  const plan: OrdersPlan = { ...(quick ? plans.quick : plans.full), before };
  console.log("orders through the edge until CONFIRMED, and the SQL statements that they cause by bare mysql2");
  const report = summarizeOrders(await runOrders(plan));
  console.log(`\n${formatOrders(report)}\n\n${formatStatements(report.statements["64"] ?? [])}\n`);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  console.log(`medians of ${plan.rounds} rounds (lowest to highest) in ${seconds} s`);
  if (unfit !== undefined) return console.log(`results not written: ${unfit}`);
  const figures = { headline: ordersHeadline(report), ...report };
  const all = { measuredAt: new Date().toISOString(), quick, seconds, machine, ...figures };
  await mkdir(new URL("./", results), { recursive: true });
  await writeFile(results, `${JSON.stringify(all, null, 2)}\n`);
  console.log("written to tools/bench/results/orders.json");
}
