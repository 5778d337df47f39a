import { sumOf } from "../prometheus.ts";
import { countersOf } from "./insert-counters.ts";
import { type StageCounter, stageCounters } from "./stage-counters.ts";

/** What this process has counted at each stage of a side, and what its metrics say that they have counted. */
export async function readCounts(side: StageCounter["side"], metricsPort: number): Promise<Record<string, number>> {
  const counters = countersOf();
  const stages = stageCounters.flatMap((counter, index): [string, number][] =>
    counter.side === side ? [[counter.stage, counters[index] ?? 0]] : [],
  );
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const calls = sumOf(bench(metrics), `rpc_${side}_call_duration_count`);
  return { ...Object.fromEntries(stages), metrics: calls };
}

/** The lines of the bench's own methods. */
function bench(metrics: string): string {
  return metrics
    .split("\n")
    .filter((line) => line.includes("weft.bench.v1.BenchService/"))
    .join("\n");
}
