import { badInput } from "./bad-input.ts";
import { lastUnit } from "./last-unit.ts";
import { paymentFrozen } from "./payment-frozen.ts";
import { replyDropped } from "./reply-dropped.ts";
import type { Scenario } from "./scenario.ts";

export const scenarios: readonly Scenario[] = [lastUnit, replyDropped, paymentFrozen, badInput];

/** @throws Error naming the scenarios that there are */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario "${name}": ${scenarios.map((each) => each.name).join(", ")}`);
  return found;
}
