import { mkdir, writeFile } from "node:fs/promises";
import type { BenchRun } from "./run.ts";

const directory = new URL("results/", import.meta.url);

/** Keeps the figures of a run, with what speaks against them. */
export async function writeResults(name: string, run: BenchRun, figures: object): Promise<void> {
  const { quick, machine, unfit, startedAt } = run;
  const seconds = Math.round((Date.now() - startedAt.getTime()) / 100) / 10;
  const about = { measuredAt: startedAt.toISOString(), quick, seconds, machine, ...(unfit && { unfit }) };
  await mkdir(directory, { recursive: true });
  await writeFile(new URL(name, directory), `${JSON.stringify({ ...about, ...figures }, null, 2)}\n`);
  if (unfit) console.log(`not to be relied on: ${unfit}`);
  console.log(`written to tools/bench/results/${name} after ${seconds} s`);
}

/** Keeps a plot, for the documents to show. */
export async function writePlot(name: string, svg: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(new URL(name, directory), svg);
  console.log(`drawn in tools/bench/results/${name}`);
}
