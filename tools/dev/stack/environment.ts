import { join } from "node:path";
import { SERVICE_NAMES, type ServiceName, type StackPorts } from "./ports.ts";

export type Environment = Readonly<Record<string, string>>;

export const TRUST_DOMAIN = "weft.local";
/** In which the services of a stack find each other. */
export const NAMESPACE = "shop";
/** The sandbox provider's key: it guards play money. */
export const PROVIDER_KEY = "sk_sandbox_weft";
/** What text and push messages are signed with: it guards messages that reach nobody. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from("for sandbox messages only").toString("base64")}`;
/** Of the services' database users: engines listen on 127.0.0.1 and hold demo data. */
export const DATABASE_PASSWORD = "weft";

/** Services that have a schema. The edge keeps nothing, and carts are in Redis. */
export const SCHEMA_OWNERS: readonly ServiceName[] = SERVICE_NAMES.filter((name) => name !== "edge" && name !== "cart");

/** Services that keep something in Redis which may be lost: caches, limits, carts, leaderboards. */
const REDIS_USERS: readonly ServiceName[] = ["user", "catalog", "cart", "analytics"];

export interface EnvironmentOptions {
  readonly ports: StackPorts;
  readonly certDirectory: string;
  readonly tokenKeyFile: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
  /** By service that has a schema. */
  readonly mysqlUrls: ReadonlyMap<ServiceName, string>;
  /** Goes over what is set here, e.g. LOG_LEVEL. For one service alone with its prefix: `ORDER__LOG_LEVEL`. */
  readonly extra: Environment;
}

/** The environment of one service's process. */
export function serviceEnvironment(service: ServiceName, options: EnvironmentOptions): Environment {
  const { ports } = options;
  const own = ports.services[service];
  const at = (port: number) => `127.0.0.1:${port}`;
  const mysqlUrl = options.mysqlUrls.get(service);
  return {
    WEFT_GRPC_ADDR: at(own.grpc),
    WEFT_HEALTH_ADDR: at(own.health),
    WEFT_METRICS_ADDR: at(own.metrics),
    WEFT_CERT_DIR: join(options.certDirectory, service),
    WEFT_TRUST_DOMAIN: TRUST_DOMAIN,
    WEFT_DISCOVERY: `nats:${NAMESPACE}`,
    WEFT_FAULTS_ALLOWED: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${at(ports.otlp)}`,
    LOG_LEVEL: "info",
    NATS_URL: options.natsUrl,
    ...(mysqlUrl ? { MYSQL_URL: mysqlUrl } : {}),
    ...(REDIS_USERS.includes(service) ? { REDIS_URL: options.redisUrl } : {}),
    ...particulars(service, options),
    ...ownPart(service, options.extra),
  };
}

/**
 * The environment of the process that holds all services: what is the same for all that have it stands as it is, the rest
 * under the service's prefix (`ORDER__MYSQL_URL`).
 */
export function singleEnvironment(options: EnvironmentOptions): Environment {
  const each = SERVICE_NAMES.map((service) => {
    // They call each other within the process: nobody looks for them.
    const { WEFT_DISCOVERY: _, ...environment } = serviceEnvironment(service, options);
    return [service, environment] as const;
  });
  const valuesByName = new Map<string, Set<string>>();
  for (const [, environment] of each) {
    for (const [name, value] of Object.entries(environment)) {
      valuesByName.set(name, (valuesByName.get(name) ?? new Set()).add(value));
    }
  }
  const entries = each.flatMap(([service, environment]) =>
    Object.entries(environment).map(([name, value]) => {
      const shared = valuesByName.get(name)?.size === 1;
      return [shared ? name : `${service.toUpperCase()}__${name}`, value] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function particulars(service: ServiceName, { ports, tokenKeyFile }: EnvironmentOptions): Environment {
  const TOKEN_ISSUER = `http://127.0.0.1:${ports.edge}`;
  switch (service) {
    case "edge":
      return { EDGE_ADDR: `127.0.0.1:${ports.edge}`, CORS_ORIGINS: "http://localhost:3000", TOKEN_ISSUER };
    case "user":
      return { TOKEN_KEY_FILE: tokenKeyFile, TOKEN_ISSUER };
    case "payment":
      return { PAYMENT_PROVIDER_URL: `http://127.0.0.1:${ports.provider}`, PAYMENT_PROVIDER_KEY: PROVIDER_KEY };
    case "notification":
      return {
        SMTP_URL: `smtp://127.0.0.1:${ports.smtp}`,
        MAIL_FROM: "Weft Shop <shop@weft.local>",
        WEBHOOK_URL: `http://127.0.0.1:${ports.webhooks}`,
        WEBHOOK_SECRET,
      };
    default:
      return {};
  }
}

function ownPart(service: ServiceName, extra: Environment): Environment {
  const prefix = `${service.toUpperCase()}__`;
  const entries = Object.entries(extra);
  const shared = entries.filter(([name]) => !name.includes("__"));
  const own = entries.filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries([...shared, ...own.map(([name, value]) => [name.slice(prefix.length), value])]);
}
