import type { StageCounter } from "./stage-counters.ts";

/** The counters of this process, by their index in stageCounters. */
export function countersOf(global: object = globalThis): Float64Array {
  const holder = global as { weftBenchCounters?: Float64Array };
  holder.weftBenchCounters ??= new Float64Array(64);
  return holder.weftBenchCounters;
}

export interface Inserted {
  /** Undefined if no counter belongs in this module. */
  readonly source: string | undefined;
  /** Counters whose place is not there, or not once: their stage is not shown. */
  readonly lost: readonly StageCounter[];
}

/** Adds the counters of a module to its source. Line numbers stay. */
export function insertCounters(module: string, source: string, counters: readonly StageCounter[]): Inserted {
  let text = source;
  let found = false;
  const lost: StageCounter[] = [];
  for (const [index, counter] of counters.entries()) {
    if (counter.module !== module) continue;
    found = true;
    const { after, when } = counter;
    if (text.split(after).length !== 2) {
      lost.push(counter);
      continue;
    }
    const count = `globalThis.weftBenchCounters[${index}]++;`;
    text = text.replace(after, () => `${after} ${when === undefined ? count : `if (${when}) ${count}`}`);
  }
  return { source: found ? text : undefined, lost };
}
