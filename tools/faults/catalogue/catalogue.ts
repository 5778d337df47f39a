import { disk } from "./disk.ts";
import type { Fault } from "./fault.ts";
import { freezes } from "./freezes.ts";
import { killPoints } from "./kill-points.ts";
import { kills } from "./kills.ts";
import { messages } from "./messages.ts";
import { networks } from "./networks.ts";
import { outside } from "./outside.ts";

/** Every kind of fault. */
export const catalogue: readonly Fault[] = [
  ...kills,
  ...freezes,
  ...networks,
  ...killPoints,
  ...messages,
  ...outside,
  ...disk,
];

/** Those that differ most, for a run of a few minutes. */
export const SMOKE_KINDS: readonly string[] = [
  "kill-order",
  "kill-mariadb",
  "freeze-payment",
  "commit-reply-lost",
  "after-charge",
  "one-way-inventory",
  "reordered-events",
  "provider-reply-lost",
];

/** @throws Error naming the kinds that there are */
export function faultOf(kind: string): Fault {
  const found = catalogue.find((fault) => fault.kind === kind);
  if (found === undefined) throw new Error(`no fault "${kind}": ${catalogue.map((each) => each.kind).join(", ")}`);
  return found;
}
