import { SCHEMA_OWNERS } from "../../dev/stack/environment.ts";
import { SERVICE_NAMES, type ServiceName, type StackPorts } from "../../dev/stack/ports.ts";
import { type Link, startLink } from "../proxy.ts";
import type { Instance, NextPort } from "./instances.ts";

/** Who calls whom (services/README.md). */
const CALLS: Readonly<Partial<Record<ServiceName, readonly ServiceName[]>>> = {
  edge: ["user", "catalog", "inventory", "cart", "order", "recommendation", "analytics"],
  order: ["catalog", "inventory", "payment"],
  cart: ["catalog"],
  recommendation: ["analytics", "order"],
};
const REDIS_USERS: readonly ServiceName[] = ["user", "catalog", "cart", "analytics"];

/** All links of a stack. Instances of a service share theirs. */
export interface Links extends AsyncDisposable {
  readonly all: readonly Link[];
  /** "order>mariadb", "edge>order-1", "client>edge". @throws Error if there is none of that name */
  get(name: string): Link;
  /** The links from one to another, whatever its instances: ("edge", "order"). */
  between(from: string, to: string): Link[];
  /** The links of one service or engine, at either end. */
  to(target: string): Link[];
  /** Lets everything pass. */
  heal(): Promise<void>;
}

export async function startLinks(ports: StackPorts, instances: readonly Instance[], next: NextPort): Promise<Links> {
  const wanted: [name: string, targetPort: number][] = [
    ...SCHEMA_OWNERS.map((name) => [`${name}>mariadb`, ports.engines.mariadb] as [string, number]),
    ...SERVICE_NAMES.map((name) => [`${name}>nats`, ports.engines.nats] as [string, number]),
    ...REDIS_USERS.map((name) => [`${name}>redis`, ports.engines.redis] as [string, number]),
    ...Object.entries(CALLS).flatMap(([from, callees]) =>
      instances
        .filter(({ service }) => callees.includes(service))
        .map(({ name, grpc }) => [`${from}>${name}`, grpc] as [string, number]),
    ),
    ["payment>provider", ports.provider],
    ["notification>smtp", ports.smtp],
    ["notification>webhooks", ports.webhooks],
    ["client>edge", ports.edge],
  ];
  await using started = new AsyncDisposableStack();
  const links = new Map<string, Link>();
  for (const [name, targetPort] of wanted) {
    links.set(name, started.use(await startLink({ name, port: await next(), targetPort })));
  }
  const resources = started.move();
  const all = [...links.values()];
  const targetOf = (link: Link) => link.name.split(">")[1]?.replace(/-\d$/, "");
  return {
    all,
    get(name) {
      const link = links.get(name);
      if (link === undefined) throw new Error(`no link ${name}: ${[...links.keys()].join(", ")}`);
      return link;
    },
    between: (from, to) => all.filter((link) => link.name.startsWith(`${from}>`) && targetOf(link) === to),
    to: (target) => all.filter((link) => targetOf(link) === target),
    async heal() {
      await Promise.all(all.map((link) => link.set({ kind: "pass" })));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
