import { join } from "node:path";
import type { TransportChoice } from "../../../mesh/client/edge-settings.ts";
import { databaseUrl } from "../../dev/engines/database.ts";
import {
  DATABASE_PASSWORD,
  type Environment,
  PROVIDER_KEY,
  SCHEMA_OWNERS,
  serviceEnvironment,
} from "../../dev/stack/environment.ts";
import type { StackPorts } from "../../dev/stack/ports.ts";
import type { Instance } from "./instances.ts";
import type { Links } from "./links.ts";

export interface InstanceEnvironmentOptions {
  readonly directory: string;
  readonly ports: StackPorts;
  readonly links: Links;
  /** The administrator's. */
  readonly mysqlUrl: string;
  readonly tokenKeyFile: string;
  /** How its calls leave. */
  readonly transport: TransportChoice;
}

/**
 * How long an order waits for its payment. Short, so that a cell of the matrix ends soon; as long as the provider's slow method takes, so
 * that its answer meets the expiry.
 */
const AWAITING_PAYMENT_TTL_MS = 10_000;

/** Where hits of kill points are written, by all instances. */
export const hitsFileOf = (directory: string): string => join(directory, "hits.jsonl");

/** The environment of one instance: all that it reaches, it reaches over links. */
export function instanceEnvironment(instance: Instance, options: InstanceEnvironmentOptions): Environment {
  const { directory, ports, links } = options;
  const { service } = instance;
  const at = (port: number) => `127.0.0.1:${port}`;
  const over = (name: string) => at(links.get(`${service}>${name}`).port);
  const owned = SCHEMA_OWNERS.includes(service);
  const mysqlUrl = databaseUrl(options.mysqlUrl, `shop_${service}`, DATABASE_PASSWORD);
  const plain = serviceEnvironment(service, {
    ...{ ports, certDirectory: join(directory, "certs"), tokenKeyFile: options.tokenKeyFile },
    natsUrl: `nats://${over("nats")}`,
    redisUrl: "redis://unused",
    mysqlUrls: owned ? new Map([[service, replacePort(mysqlUrl, links.get(`${service}>mariadb`).port)]]) : new Map(),
    extra: {},
  });
  return {
    ...plain,
    WEFT_GRPC_ADDR: at(instance.grpc),
    WEFT_HEALTH_ADDR: at(instance.health),
    WEFT_METRICS_ADDR: at(instance.metrics),
    // By name, not by what they say of themselves: each goes over a link that can be cut.
    WEFT_TRANSPORT: options.transport,
    WEFT_DISCOVERY: `static:${endpoints(service, links)}`,
    // Nobody looks at traces here, and they cost what orders could have.
    OTEL_EXPORTER_OTLP_ENDPOINT: "",
    ...("REDIS_URL" in plain ? { REDIS_URL: `redis://${over("redis")}` } : {}),
    ...(service === "order" ? { AWAITING_PAYMENT_TTL_MS: String(AWAITING_PAYMENT_TTL_MS) } : {}),
    ...(service === "payment"
      ? { PAYMENT_PROVIDER_URL: `http://${over("provider")}`, PAYMENT_PROVIDER_KEY: PROVIDER_KEY }
      : {}),
    ...(service === "notification"
      ? { SMTP_URL: `smtp://${over("smtp")}`, WEBHOOK_URL: `http://${over("webhooks")}` }
      : {}),
    FAULTS_CONTROL_PORT: String(instance.control),
    FAULTS_HITS_FILE: hitsFileOf(directory),
  };
}

function endpoints(service: string, links: Links): string {
  const addresses = new Map<string, string[]>();
  for (const link of links.all) {
    const [from, to = ""] = link.name.split(">");
    const instance = /^(.+)-\d$/.exec(to)?.[1];
    if (from !== service || instance === undefined) continue;
    addresses.set(instance, [...(addresses.get(instance) ?? []), `127.0.0.1:${link.port}`]);
  }
  return [...addresses].map(([name, list]) => `${name}=${list.join("|")}`).join(",");
}

function replacePort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
