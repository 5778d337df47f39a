import { integerFrom, oneOf } from "../../dev/history/chance.ts";
import type { ServiceName } from "../../dev/stack/ports.ts";
import type { KillPoint } from "../world.ts";
import type { Fault } from "./fault.ts";

interface Place {
  readonly service: ServiceName;
  readonly when: KillPoint["when"];
  readonly statement: string;
}

const at = (service: ServiceName, when: KillPoint["when"], statement: string): Place => ({ service, when, statement });

/** How long a load is waited for to come by. */
const REACH_TIMEOUT_MS = 5_000;

/** An instance ends itself, as by kill -9, at one exact place of its code path. */
const killPoint = (kind: string, what: string, places: readonly Place[]): Fault => ({
  kind,
  what,
  async inject(world, random) {
    const { service, when, statement } = oneOf(random, places);
    const instances = world.instancesOf(service);
    const before = world.killPointHits().length;
    const point: KillPoint = { when, statement, nth: integerFrom(random, 1, 4), action: "kill" };
    for (const instance of instances) await world.arm(instance, point);
    await Promise.all(instances.map(({ name }) => world.diesWithin(name, REACH_TIMEOUT_MS)));
    return {
      lastsMs: 0,
      hits: () => world.killPointHits().length - before,
      async heal() {
        const alive = instances.filter(({ name }) => world.stack.member(name).isRunning());
        await Promise.all(alive.map((instance) => world.disarm(instance)));
      },
    };
  },
});

export const killPoints: readonly Fault[] = [
  killPoint("before-commit", "order, inventory or payment ends before a COMMIT", [
    at("order", "before", "order.place.commit"),
    at("order", "before", "order.append.commit"),
    at("inventory", "before", "inventory.reserveStock.commit"),
    at("payment", "before", "payment.change.commit"),
  ]),
  killPoint("after-commit", "order, inventory or payment ends after a COMMIT, before its event is published", [
    at("order", "after", "order.place.commit"),
    at("order", "after", "order.append.commit"),
    at("inventory", "after", "inventory.reserveStock.commit"),
    at("payment", "after", "payment.change.commit"),
  ]),
  killPoint("after-publish", "order, inventory or payment ends after events are published, before they are marked so", [
    at("order", "before", "outbox.markPublished"),
    at("inventory", "before", "outbox.markPublished"),
    at("payment", "before", "outbox.markPublished"),
  ]),
  killPoint("after-effect", "a consumer ends after an event's effect is committed, before it is acknowledged", [
    at("order", "after", "order.inbox.commit"),
    at("inventory", "after", "inventory.inbox.commit"),
    at("payment", "after", "payment.inbox.commit"),
    at("notification", "after", "notification.inbox.commit"),
  ]),
  killPoint("after-charge", "payment ends after the provider has charged, before that is written down", [
    at("payment", "before", "payment.updatePayment"),
  ]),
];
