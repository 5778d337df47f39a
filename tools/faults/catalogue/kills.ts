import type { EngineName } from "../../dev/engines/engine.ts";
import { integerFrom, oneOf } from "../../dev/history/chance.ts";
import type { ServiceName } from "../../dev/stack/ports.ts";
import type { World } from "../world.ts";
import { between, type Fault } from "./fault.ts";

const SERVICES: readonly ServiceName[] = [
  ...(["order", "inventory", "payment", "catalog", "user", "cart", "edge", "notification", "analytics"] as const),
];
const ENGINES: readonly EngineName[] = ["mariadb", "nats", "redis"];

const killService = (service: ServiceName): Fault => ({
  kind: `kill-${service}`,
  what: `kill -9 of ${service} in the middle of an exchange, of one instance or of all; up to 3 s later it is started again`,
  async inject(world, random) {
    const instances = world.instancesOf(service);
    const victims = random() < 0.5 ? instances : [oneOf(random, instances)];
    let hits = 0;
    for (const { name } of victims) {
      hits += await world.whenBusy(world.linksOf(name));
      await world.kill(name);
    }
    return { lastsMs: between(random, 300, 3_000), hits: () => hits };
  },
});

const killEngine = (engine: EngineName): Fault => ({
  kind: `kill-${engine}`,
  what: `kill -9 of ${engine} in the middle of an exchange; up to 3 s later it is started again`,
  async inject(world, random) {
    const hits = await world.whenBusy(world.linksOf(engine));
    await world.kill(engine);
    return { lastsMs: between(random, 500, 3_000), hits: () => hits };
  },
});

const killEverything: Fault = {
  kind: "kill-everything",
  what: "kill -9 of every engine and every instance at once",
  async inject(world, random) {
    const hits = await busyLinks(world);
    await Promise.all(world.stack.names.map((name) => world.kill(name)));
    return { lastsMs: between(random, 200, 2_000), hits: () => hits };
  },
};

const rollingRestart: Fault = {
  kind: "rolling-restart",
  what: "SIGTERM to the instances one after another, each started again before the next",
  async inject(world, random) {
    const first = integerFrom(random, 0, world.stack.instances.length - 1);
    const names = world.stack.instances.map(({ name }) => name);
    let hits = 0;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      hits += await world.whenBusy(world.linksOf(name));
      await world.restart(name);
    }
    return { lastsMs: 0, hits: () => hits };
  },
};

function busyLinks(world: World): Promise<number> {
  return world.whenBusy(world.stack.links.all.filter(({ name }) => !name.endsWith(">nats")));
}

export const kills: readonly Fault[] = [
  ...SERVICES.map(killService),
  ...ENGINES.map(killEngine),
  killEverything,
  rollingRestart,
];
