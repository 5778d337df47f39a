import { integerFrom, type Random } from "../../dev/history/chance.ts";
import type { Link, LinkMode, ReplyLost } from "../proxy.ts";
import type { World } from "../world.ts";
import { between, type Fault, type Wound } from "./fault.ts";

type PickLinks = (world: World) => Link[];

const SERVICES = ["user", "catalog", "inventory", "cart", "order", "payment", "recommendation", "analytics"];

const mariadb: PickLinks = (world) => world.stack.links.to("mariadb");
const nats: PickLinks = (world) => world.stack.links.to("nats");
const redis: PickLinks = (world) => world.stack.links.to("redis");
const services: PickLinks = (world) => SERVICES.flatMap((name) => world.stack.links.to(name));
const from =
  (caller: string, callee: string): PickLinks =>
  (world) =>
    world.stack.links.between(caller, callee);
const oneLink =
  (name: string): PickLinks =>
  (world) => [world.stack.links.get(name)];

interface LinkFault {
  readonly kind: string;
  readonly what: string;
  readonly links: PickLinks;
  readonly mode: (random: Random) => LinkMode;
  readonly lastsMs: readonly [min: number, max: number];
}

/** A link that is bad for a while. */
const badLink = ({ kind, what, links, mode, lastsMs }: LinkFault): Fault => ({
  kind,
  what,
  async inject(world, random): Promise<Wound> {
    const hurt = links(world);
    await world.whenBusy(hurt);
    await world.setAll(hurt, mode(random));
    return { lastsMs: between(random, ...lastsMs), hits: () => sum(hurt) };
  },
});

/** The server does what it is asked, and nobody hears of it. */
const lostReplies = (kind: string, what: string, links: PickLinks, how: Partial<ReplyLost>): Fault => ({
  kind,
  what,
  async inject(world, random): Promise<Wound> {
    const hurt = links(world);
    for (const link of hurt) {
      const [nth, times] = [integerFrom(random, 1, 5), integerFrom(random, 2, 6)];
      await link.set({ kind: "replyLost", ...how, nth, times });
    }
    return { lastsMs: between(random, 2_500, 4_000), hits: () => sum(hurt) };
  },
});

function sum(links: readonly Link[]): number {
  return links.reduce((hits, link) => hits + link.counts().hits, 0);
}

/** Answers share a connection there (HTTP/2), and acknowledgements of windows and pings come first: the reply is among these bytes. */
const HTTP2_HOLD_MS = 250;

export const networks: readonly Fault[] = [
  badLink({
    ...{ kind: "latency-mariadb", what: "MariaDB is 10 to 40 ms away, each way", links: mariadb },
    mode: (random) => ({ kind: "latency", delayMs: between(random, 10, 40) }),
    lastsMs: [3_000, 5_000],
  }),
  badLink({
    ...{ kind: "latency-services", what: "services are 50 to 250 ms away from one another, each way", links: services },
    mode: (random) => ({ kind: "latency", delayMs: between(random, 50, 250) }),
    lastsMs: [3_000, 5_000],
  }),
  badLink({
    ...{ kind: "reset-mariadb", what: "all connections to MariaDB are reset", links: mariadb },
    ...{ mode: () => ({ kind: "reset" }), lastsMs: [200, 1_500] },
  }),
  badLink({
    ...{ kind: "reset-services", what: "all connections between services are reset", links: services },
    ...{ mode: () => ({ kind: "reset" }), lastsMs: [200, 1_500] },
  }),
  badLink({
    ...{ kind: "reset-nats", what: "all connections to NATS are reset", links: nats },
    ...{ mode: () => ({ kind: "reset" }), lastsMs: [200, 2_000] },
  }),
  badLink({
    ...{
      kind: "blackhole-mariadb",
      what: "order and MariaDB hear nothing of each other",
      links: oneLink("order>mariadb"),
    },
    ...{ mode: () => ({ kind: "blackhole" }), lastsMs: [3_000, 8_000] },
  }),
  badLink({
    ...{
      kind: "blackhole-payment",
      what: "order and payment hear nothing of each other",
      links: from("order", "payment"),
    },
    ...{ mode: () => ({ kind: "blackhole" }), lastsMs: [3_000, 8_000] },
  }),
  badLink({
    ...{ kind: "blackhole-nats", what: "nobody and NATS hear anything of each other", links: nats },
    ...{ mode: () => ({ kind: "blackhole" }), lastsMs: [3_000, 8_000] },
  }),
  badLink({
    ...{ kind: "blackhole-redis", what: "nobody and Redis hear anything of each other", links: redis },
    ...{ mode: () => ({ kind: "blackhole" }), lastsMs: [3_000, 6_000] },
  }),
  badLink({
    kind: "one-way-inventory",
    what: "inventory does what order asks, and order hears nothing",
    ...{ links: from("order", "inventory"), mode: () => ({ kind: "oneWay" }), lastsMs: [2_000, 5_000] },
  }),
  badLink({
    kind: "one-way-nats",
    what: "NATS stores what is published, and nobody hears that it has; it delivers nothing",
    ...{ links: nats, mode: () => ({ kind: "oneWay" }), lastsMs: [2_000, 5_000] },
  }),
  badLink({
    ...{ kind: "closed-payment", what: "nobody listens where payment was", links: from("order", "payment") },
    ...{ mode: () => ({ kind: "closed" }), lastsMs: [1_000, 4_000] },
  }),
  lostReplies(
    "commit-reply-lost",
    "COMMITs of order, inventory and payment happen, and their replies are lost",
    (world) => ["order", "inventory", "payment"].map((name) => world.stack.links.get(`${name}>mariadb`)),
    { fits: (request) => request.includes("COMMIT") },
  ),
  lostReplies("reply-lost-order", "order's replies to the edge are lost", from("edge", "order"), {
    holdMs: HTTP2_HOLD_MS,
  }),
  lostReplies("reply-lost-inventory", "inventory's replies to order are lost", from("order", "inventory"), {
    holdMs: HTTP2_HOLD_MS,
  }),
  lostReplies("reply-lost-payment", "payment's replies to order are lost", from("order", "payment"), {
    holdMs: HTTP2_HOLD_MS,
  }),
  lostReplies("reply-lost-client", "the edge's replies to clients are lost", oneLink("client>edge"), {}),
  lostReplies("reply-lost-provider", "the provider charges, and its replies are lost", oneLink("payment>provider"), {}),
];
