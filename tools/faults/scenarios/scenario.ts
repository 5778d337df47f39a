import type { Random } from "../../dev/history/chance.ts";
import type { Finding } from "../checks/finding.ts";
import type { World } from "../world.ts";

/** A story that must be shown by itself, beside the matrix of faults: it has a world of its own, and tells figures. */
export interface Scenario {
  readonly name: string;
  /** What happens, for people. */
  readonly what: string;
  /** @returns what was counted, and what was not as it must be */
  run(deps: ScenarioDeps): Promise<ScenarioResult>;
}

export interface ScenarioDeps {
  readonly world: World;
  readonly random: Random;
  /** How much of it, from 0 to 1: the whole, or what a run of a few minutes has time for. */
  readonly share: number;
  readonly say: (line: string) => void;
}

export interface ScenarioResult {
  readonly figures: Readonly<Record<string, number | string>>;
  readonly findings: readonly Finding[];
}

/** So many of a whole, one at least. */
export function portion(count: number, share: number): number {
  return Math.max(1, Math.round(count * share));
}
