import { expect, test } from "vitest";
import { runBench } from "./bench.ts";
import { formatRows, headline, summarize } from "./report.ts";

test("the bench measures both rows against processes of their own and sums them up", async () => {
  const rows = (await runBench({ rounds: 2, sliceMs: 30, warmUpMs: 50 })).map(summarize);
  expect(rows.map(({ inFlight }) => inFlight)).toEqual([1, 64]);
  const figures = headline(rows);
  expect(Object.keys(figures).sort()).toEqual([
    "plain1_p99_vs_grpcjs",
    "plain1_vs_grpcjs",
    "plain64_p99_vs_grpcjs",
    "plain64_vs_grpcjs",
  ]);
  for (const figure of Object.values(figures)) expect(figure).toBeGreaterThan(0);
  expect(formatRows(rows)).toMatch(/^64 +weft +\d+/m);
}, 60_000);
