import { integerFrom, type Random } from "../../dev/history/chance.ts";
import type { World } from "../world.ts";

/** One kind of trouble. */
export interface Fault {
  /** "kill-order" */
  readonly kind: string;
  /** What it does, for people. */
  readonly what: string;
  /** Whether it needs to be root, for a file system of its own. */
  readonly needsRoot?: boolean;
  /** How long it may take until all is quiet after the heal; 60 s if left out. */
  readonly settleMs?: number;
  /** Puts the fault in, in the middle of a load. All that is by chance is drawn from `random`. */
  inject(world: World, random: Random): Promise<Wound>;
}

/** A fault that is in. */
export interface Wound {
  /** How long it stays in. */
  readonly lastsMs: number;
  /**
   * What it has hit, by its own count: exchanges that it cut, held or delayed, operations that a process was in the middle of when it was
   * killed, kill points reached, events sent again. Asked after the heal.
   */
  hits(): number | Promise<number>;
  /** Takes it away; links, frozen and killed processes are healed without being asked. */
  heal?(): Promise<void>;
  /** What must be true of this fault alone once all is quiet: lines that say what is not. */
  verify?(): Promise<string[]>;
}

/** A time within bounds, drawn. */
export const between = (random: Random, minMs: number, maxMs: number): number => integerFrom(random, minMs, maxMs);
