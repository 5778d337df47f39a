import type { Random } from "../../dev/history/chance.ts";
import { oneOf } from "../../dev/history/chance.ts";
import type { ServiceName } from "../../dev/stack/ports.ts";
import { isEngine } from "../stack/stack.ts";
import type { World } from "../world.ts";
import { between, type Fault } from "./fault.ts";

/** Past every lease and ackWait in three of four, up to the longest of them in the fourth. */
const freezeMs = (random: Random): number =>
  random() < 0.75 ? between(random, 5_000, 9_000) : between(random, 9_000, 30_000);

const freeze = (target: ServiceName | "mariadb" | "nats"): Fault => ({
  kind: `freeze-${target}`,
  what: `SIGSTOP of ${target} (one instance) in the middle of an exchange for 5 to 30 s, then SIGCONT`,
  async inject(world, random) {
    const name = isEngine(target) ? target : oneOf(random, namesOf(world, target));
    const links = world.linksOf(name);
    const hits = await world.whenBusy(links);
    world.freeze(name);
    return { lastsMs: freezeMs(random), hits: () => hits };
  },
});

function namesOf(world: World, service: ServiceName): string[] {
  return world.instancesOf(service).map(({ name }) => name);
}

export const freezes: readonly Fault[] = [
  ...(["order", "payment", "inventory", "mariadb", "nats"] as const).map(freeze),
];
