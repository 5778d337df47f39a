import { createHash } from "node:crypto";
import { seededRandom } from "../dev/history/chance.ts";
import { shuffled } from "./stream.ts";

/** One thing to do: a kind of fault under one seed. */
export interface Cell {
  /** "kill-order/2": the kind and which of its seeds. */
  readonly name: string;
  readonly kind: string;
  /** What all that is by chance in it follows from. */
  readonly seed: number;
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly kinds: readonly string[];
  /** Cells of each kind. */
  readonly seedCount: number;
}

/** The cells of a run, in an order that follows from the seed, too. */
export function schedule({ seed, kinds, seedCount }: ScheduleOptions): Cell[] {
  const cells = kinds.flatMap((kind) =>
    Array.from({ length: seedCount }, (_, index) => {
      const name = `${kind}/${index + 1}`;
      return { name, kind, seed: deriveSeed(seed, name) };
    }),
  );
  return shuffled(seededRandom(deriveSeed(seed, "order of cells")), cells);
}

/** A seed of 32 bits that follows from another and a name: a cell's does not depend on which others are in the run. */
export function deriveSeed(seed: number, name: string): number {
  return createHash("sha256").update(`${seed} ${name}`).digest().readUInt32BE(0);
}
