import { integerFrom } from "../../dev/history/chance.ts";
import type { World } from "../world.ts";
import { between, type Fault } from "./fault.ts";

const OPERATIONS = ["authorize", "capture", "void", "refund"] as const;
type Count = { readonly count: number };

async function leftAtProvider(world: World): Promise<number> {
  const { faults } = (await world.provider("GET", "/v1/faults")) as { faults: Count[] };
  return faults.reduce((sum, { count }) => sum + count, 0);
}

/** The provider itself misbehaves at the next requests. */
const provider = (kind: string, what: string, fault: { kind: string; delay_ms?: number }): Fault => ({
  kind,
  what,
  async inject(world, random) {
    let planned = 0;
    for (const operation of OPERATIONS) {
      const count = integerFrom(random, 5, 15);
      planned += count;
      await world.provider("POST", "/v1/faults", { ...fault, operation, count });
    }
    let left = planned;
    return {
      lastsMs: between(random, 2_500, 4_000),
      hits: () => planned - left,
      async heal() {
        left = await leftAtProvider(world);
        await world.provider("DELETE", "/v1/faults");
      },
    };
  },
});

const providerDown: Fault = {
  kind: "provider-down",
  what: "the provider resets every connection",
  async inject(world, random) {
    const link = world.stack.links.get("payment>provider");
    await world.whenBusy([link]);
    await link.set({ kind: "reset" });
    return { lastsMs: between(random, 2_000, 5_000), hits: () => link.counts().hits };
  },
};

const OVERLOAD_FACTOR = 5;

const overload: Fault = {
  kind: "overload",
  what: "five times as many operations a second",
  async inject(world, random) {
    const before = world.log.operations().length;
    world.load.setRate(world.rate * OVERLOAD_FACTOR);
    let begun = 0;
    return {
      lastsMs: between(random, 3_000, 5_000),
      hits: () => begun,
      async heal() {
        begun = world.log.operations().length - before;
        world.load.setRate(world.rate);
      },
    };
  },
};

export const outside: readonly Fault[] = [
  provider("provider-errors", "the provider answers 500", { kind: "error" }),
  provider("provider-reply-lost", "the provider charges, writes it down and answers nothing", { kind: "lost_reply" }),
  provider("provider-slow", "the provider takes 3 s, longer than payment waits", { kind: "delay", delay_ms: 3_000 }),
  providerDown,
  overload,
];
