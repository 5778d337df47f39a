import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { SEED_PRODUCTS } from "../dev/seed-data.ts";
import { type BenchPlan, runBench } from "./bench.ts";
import { profileCalls } from "./calls/profile-calls.ts";
import { benchOrders } from "./orders/main.ts";
import { runReads } from "./reads.ts";
import { formatReads, readsHeadline, summarizeReads } from "./reads-report.ts";
import { formatRows, headline, summarize } from "./report.ts";

/** Above this many runnable processes before the start, the machine is at something else. */
const loadAverageMax = 1;
const resultsDirectory = new URL("results/", import.meta.url);

const { QUICK, PROFILE, ONLY, BEFORE, PEERS } = process.env;
const quick = QUICK !== undefined && QUICK !== "" && QUICK !== "0";
const plan: BenchPlan = {
  ...(quick ? { rounds: 5, sliceMs: 250, warmUpMs: 1_500 } : { rounds: 9, sliceMs: 500, warmUpMs: 3_500 }),
};
const [loadAverage = 0] = loadavg();
const machine = { node: process.version, cpus: cpus().length, loadAverage };
const unfit =
  loadAverage > loadAverageMax
    ? `the machine was busy before the start (load average ${loadAverage.toFixed(2)})`
    : undefined;

if (ONLY && ONLY !== "calls" && ONLY !== "orders") throw new Error(`ONLY=${ONLY} is neither "calls" nor "orders"`);
if (ONLY !== "orders")
  await (PROFILE ? profileCalls(PROFILE, PEERS ? PEERS.split(",") : ["weft", "grpc-js"]) : benchCalls());
if (ONLY !== "calls") await benchOrders({ quick, profileDirectory: PROFILE, before: BEFORE, unfit, machine });

async function benchCalls(): Promise<void> {
  const startedAt = performance.now();
  console.log("unary echo, 11 bytes: the mesh's plain gRPC with everything on, against bare grpc-js without TLS");
  const rows = (await runBench(plan)).map(summarize);
  console.log(`\n${formatRows(rows)}\n`);

  console.log(
    `reads of catalog over the mesh, ${SEED_PRODUCTS.length} products by Zipf's law: with its cache, and without`,
  );
  const products = SEED_PRODUCTS.map((product) => ({ ...product, currencyCode: "EUR" }));
  const reads = (await runReads(plan, products)).map(summarizeReads);
  console.log(`\n${formatReads(reads)}\n`);

  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  console.log(
    `medians of ${plan.rounds} rounds (lowest to highest) in ${seconds} s; ratios are the first line's by the second's`,
  );
  if (unfit !== undefined) return console.log(`results not written: ${unfit}`);
  const figures = { headline: { ...headline(rows), ...readsHeadline(reads) }, rows, reads };
  const results = { measuredAt: new Date().toISOString(), quick, seconds, machine, ...figures };
  await mkdir(resultsDirectory, { recursive: true });
  await writeFile(new URL("latest.json", resultsDirectory), `${JSON.stringify(results, null, 2)}\n`);
  console.log("written to tools/bench/results/latest.json");
}
