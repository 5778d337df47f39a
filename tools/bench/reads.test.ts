import { expect, test } from "vitest";
import { SEED_PRODUCTS } from "../dev/seed-data.ts";
import { runReads } from "./reads.ts";
import { formatReads, readsHeadline, summarizeReads } from "./reads-report.ts";

test("reads are measured with and without the cache, and the database's own count tells what it avoids", async () => {
  const products = SEED_PRODUCTS.slice(0, 200).map((product) => ({ ...product, currencyCode: "EUR" }));
  const rows = (await runReads({ rounds: 2, sliceMs: 60, warmUpMs: 200 }, products)).map(summarizeReads);
  expect(rows.map(({ workload, inFlight }) => `${workload} ${inFlight}`)).toEqual([
    ...["GetProduct 1", "GetProduct 64"],
    ...["ListProducts 1", "ListProducts 64"],
  ]);
  for (const { uncached, avoided } of rows) {
    expect(uncached.databaseReadsPerCall).toBeGreaterThan(0.9);
    expect(avoided).toBeGreaterThan(0.5);
  }
  for (const figure of Object.values(readsHeadline(rows))) expect(figure).toBeGreaterThan(0);
  expect(formatReads(rows)).toMatch(/^ListProducts +64 +on +\d+/m);
}, 90_000);
