import { ENGINE_NAMES, type EngineName } from "../engines/engine.ts";
import { freePort } from "../processes/ports.ts";

/** The services of the shop, in the order of their ports. */
export const SERVICE_NAMES = [
  "edge",
  "user",
  "catalog",
  "inventory",
  "order",
  "payment",
  "notification",
  "cart",
  "analytics",
  "recommendation",
] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export const DEFAULT_PORT_BASE = 7_000;
export const DEFAULT_EDGE_PORT = 8_080;

/** Ports of 127.0.0.1, one for everything that listens. */
export interface StackPorts {
  readonly engines: Readonly<Record<EngineName, number>>;
  readonly provider: number;
  readonly smtp: number;
  readonly mail: number;
  readonly otlp: number;
  readonly webhooks: number;
  readonly services: Readonly<Record<ServiceName, ServicePorts>>;
  /** The public API. */
  readonly edge: number;
}

export interface ServicePorts {
  readonly grpc: number;
  readonly health: number;
  readonly metrics: number;
}

/** The ports of a stack at a base: engines at +1, outside parties at +11, services at +100, +110, ... */
export function portsFromBase(base: number, edge: number): StackPorts {
  const services = SERVICE_NAMES.map((name, index) => {
    const first = base + 100 + 10 * index;
    return [name, { grpc: first, health: first + 1, metrics: first + 2 }] as const;
  });
  const engines = ENGINE_NAMES.map((name, index) => [name, base + 1 + index] as const);
  return {
    engines: Object.fromEntries(engines) as Record<EngineName, number>,
    provider: base + 11,
    smtp: base + 12,
    mail: base + 13,
    otlp: base + 14,
    webhooks: base + 15,
    services: Object.fromEntries(services) as Record<ServiceName, ServicePorts>,
    edge,
  };
}

/** Ports that nobody uses now, all different. */
export async function freePorts(): Promise<StackPorts> {
  const taken = new Set<number>();
  const next = async (): Promise<number> => {
    const port = await freePort();
    if (taken.has(port)) return next();
    taken.add(port);
    return port;
  };
  const services: Partial<Record<ServiceName, ServicePorts>> = {};
  for (const name of SERVICE_NAMES)
    services[name] = { grpc: await next(), health: await next(), metrics: await next() };
  return {
    engines: { mariadb: await next(), nats: await next(), redis: await next() },
    provider: await next(),
    smtp: await next(),
    mail: await next(),
    otlp: await next(),
    webhooks: await next(),
    services: services as Record<ServiceName, ServicePorts>,
    edge: await next(),
  };
}

/** One port of the stack: whose it is and what for. */
export interface ListeningPort {
  readonly member: string;
  readonly what: string;
  readonly port: number;
}

/** All ports of a stack. */
export function listeners(ports: StackPorts): ListeningPort[] {
  const of = (member: string, listening: object): ListeningPort[] =>
    Object.entries(listening).map(([what, port]) => ({ member, what, port: Number(port) }));
  return [
    ...ENGINE_NAMES.flatMap((name) => of(name, { [name]: ports.engines[name] })),
    ...of("payment-provider", { http: ports.provider }),
    ...of("mail-catcher", { smtp: ports.smtp, http: ports.mail }),
    ...of("otlp-receiver", { http: ports.otlp }),
    ...of("webhook-catcher", { http: ports.webhooks }),
    ...SERVICE_NAMES.flatMap((name) => of(name, ports.services[name])),
    ...of("edge", { public: ports.edge }),
  ];
}
