import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMessage, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createMesh } from "@weft/mesh/client";
import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createStaticDiscovery } from "@weft/mesh/discovery";
import { createBroker, createOutbox, eventMigrations, type Outbox, onEvent, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { createTelemetry } from "@weft/mesh/telemetry";
import { ensureTokenKey, openCertificateAuthority } from "../certificates.ts";
import { freePort } from "../processes/ports.ts";
import { startNats, startRedis, type TestDatabase, type TestEngine, testDatabase } from "./engines.ts";

const TRUST_DOMAIN = "weft.local";

/** What the services under test share: one authority, a NATS and a Redis of their own, a schema for each. */
export interface TestMesh extends AsyncDisposable {
  readonly nats: TestEngine;
  readonly redis: TestEngine;
  /** The environment of a service's process, for its loadConfig. */
  env(service: string): Record<string, string>;
  /** A service's schema. */
  database(service: string): TestDatabase;
  /** A client of a service over a real socket, calling with the identity of `caller`. */
  client<T extends DescService>(contract: T, service: string, caller?: string): Promise<Client<T>>;
  /** The events of one type as a service consumes them, from the stream's first on; the array grows. */
  watch<T extends DescMessage>(schema: T): Promise<readonly MessageShape<T>[]>;
  /** Publishes an event through an outbox, as the service that owns it does; the version is its aggregate's. */
  publish<T extends DescMessage>(
    schema: T,
    message: MessageInitShape<T>,
    options?: { readonly version?: bigint },
  ): Promise<void>;
}

/** Makes what `start(config)` of the named services needs: certificates, free ports, a schema each, a NATS and a Redis of their own. */
export async function createTestMesh(services: readonly string[]): Promise<TestMesh> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-mesh-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain: TRUST_DOMAIN });
  const tokenKeyFile = join(directory, "token-key.pem");
  await ensureTokenKey(tokenKeyFile);
  const nats = resources.use(await startNats());
  const redis = resources.use(await startRedis());
  const databases = new Map<string, TestDatabase>();
  const ports = new Map<string, number[]>();
  for (const service of services) {
    await authority.issue(service);
    databases.set(service, resources.use(await testDatabase(service)));
    ports.set(service, [await freePort(), await freePort(), await freePort()]);
  }
  const address = (service: string, index: number) => `127.0.0.1:${ports.get(service)?.[index]}`;

  const database = (service: string) => {
    const found = databases.get(service);
    if (found === undefined) throw new Error(`this mesh has no service "${service}"`);
    return found;
  };

  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  const broker = resources.use(createBroker({ url: nats.url, service: "test", telemetry }));
  const eventDatabase = async (): Promise<Database> => {
    const schema = running.use(await testDatabase("test_events"));
    const opened = running.use(createDatabase({ url: schema.url, telemetry }));
    await migrate({
      database: opened,
      component: "weft_events",
      directory: eventMigrations,
      logger: telemetry.logger,
    });
    return opened;
  };
  let publisher: Promise<{ database: Database; outbox: Outbox }> | undefined;
  const openPublisher = async () => {
    const opened = await eventDatabase();
    return { database: opened, outbox: running.use(createOutbox({ database: opened, broker, telemetry })) };
  };
  let watchers = 0;

  const running = resources.move();
  return {
    nats,
    redis,
    database,

    env: (service) => ({
      WEFT_GRPC_ADDR: address(service, 0),
      WEFT_HEALTH_ADDR: address(service, 1),
      WEFT_METRICS_ADDR: address(service, 2),
      WEFT_CERT_DIR: join(directory, service),
      WEFT_TRUST_DOMAIN: TRUST_DOMAIN,
      WEFT_DISCOVERY: `static:${services.map((name) => `${name}=${address(name, 0)}`).join(",")}`,
      MYSQL_URL: database(service).url,
      NATS_URL: nats.url,
      REDIS_URL: redis.url,
      LOG_LEVEL: "error",
      TOKEN_KEY_FILE: tokenKeyFile,
      TOKEN_ISSUER: "https://shop.test",
    }),

    async client(contract, service, caller = "edge") {
      await authority.ensure(caller);
      const telemetry = running.use(createTelemetry({ service: caller, logLevel: "error" }));
      const credentials = running.use(
        await loadCredentials({ directory: join(directory, caller), trustDomain: TRUST_DOMAIN }),
      );
      const instances = services.map((name) => [name, [{ address: address(name, 0) }]] as const);
      const discovery = createStaticDiscovery(new Map(instances));
      const mesh = running.use(createMesh({ service: caller, credentials, discovery, telemetry }));
      return createClient(contract, mesh.transport(service));
    },

    async watch(schema) {
      const seen: MessageShape<typeof schema>[] = [];
      const handler = onEvent(schema, async (tx, message) => tx.afterCommit(() => seen.push(message)));
      // A consumer of its own for each, which sees all events.
      const service = `test${++watchers}`;
      running.use(startConsumer({ service, database: await eventDatabase(), broker, telemetry, handlers: [handler] }));
      return seen;
    },

    async publish(schema, message, options) {
      publisher ??= openPublisher();
      const { database: opened, outbox } = await publisher;
      await opened.transaction("test.publish", async (tx) => {
        await outbox.append(tx, schema, message, options);
      });
    },

    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
