import { join } from "node:path";
import type { Engines } from "../engines/engines.ts";
import { DATABASE_PASSWORD, NAMESPACE, PROVIDER_KEY } from "./environment.ts";
import type { Topology } from "./members.ts";
import { SERVICE_NAMES, type ServiceName, type StackPorts } from "./ports.ts";

/** Where everything of a stack is, for people, tests and the `weft` command. Also written as `stack.json`. */
export interface AddressBook {
  readonly topology: Topology;
  /** The public API: `http://127.0.0.1:8080`. */
  readonly edge: string;
  /** Each as "host:port". */
  readonly services: Readonly<Record<ServiceName, ServiceAddresses>>;
  /** A folder inside for each identity, `operator` among them, with ca.pem, cert.pem and key.pem. Absolute. */
  readonly certs: string;
  readonly paymentProvider: { readonly url: string; readonly key: string };
  /** HTTP, to read the mail; SMTP is `smtp`. */
  readonly mail: string;
  readonly smtp: string;
  /** HTTP: text and push messages are POSTed to it, and read from it. */
  readonly webhooks: string;
  /** Traces are POSTed to it, and read from it. */
  readonly otlp: string;
  /** In which services find each other, at engines.nats. */
  readonly namespace: string;
  readonly engines: { readonly mysql: string; readonly nats: string; readonly redis: string };
  /** A service's schema is `<prefix>_<service>`, its user too, all with this password. */
  readonly database: { readonly schemaPrefix: string; readonly password: string };
}

export interface ServiceAddresses {
  /** Mutual TLS. */
  readonly grpc: string;
  /** Plaintext gRPC, health alone. */
  readonly health: string;
  /** HTTP, for Prometheus. */
  readonly metrics: string;
}

export interface AddressBookOptions {
  readonly ports: StackPorts;
  readonly directory: string;
  readonly topology: Topology;
  readonly engines: Engines;
  readonly schemaPrefix: string;
}

export function addressBook({ ports, directory, topology, engines, schemaPrefix }: AddressBookOptions): AddressBook {
  const at = (port: number) => `127.0.0.1:${port}`;
  const services = SERVICE_NAMES.map((name) => {
    const { grpc, health, metrics } = ports.services[name];
    return [name, { grpc: at(grpc), health: at(health), metrics: at(metrics) }] as const;
  });
  return {
    topology,
    edge: `http://${at(ports.edge)}`,
    services: Object.fromEntries(services) as Record<ServiceName, ServiceAddresses>,
    certs: join(directory, "certs"),
    paymentProvider: { url: `http://${at(ports.provider)}`, key: PROVIDER_KEY },
    mail: `http://${at(ports.mail)}`,
    smtp: `smtp://${at(ports.smtp)}`,
    webhooks: `http://${at(ports.webhooks)}`,
    otlp: `http://${at(ports.otlp)}`,
    namespace: NAMESPACE,
    engines: { mysql: engines.mysqlUrl, nats: engines.natsUrl, redis: engines.redisUrl },
    database: { schemaPrefix, password: DATABASE_PASSWORD },
  };
}
