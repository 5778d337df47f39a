import { createRedis, keepFresh } from "@weft/mesh/cache";
import { systemClock } from "@weft/mesh/contract";
import {
  auditMigrations,
  createAudit,
  createDatabase,
  createIdempotency,
  idempotencyMigrations,
  migrate,
} from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { type Broker, createBroker, createEventOperations, createOutbox, eventMigrations } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry, type Telemetry } from "@weft/mesh/telemetry";
import { file_shop_catalog_v1_events } from "../../gen/shop/catalog/v1/events_pb.ts";
import { createCachedReads, createForgetting, createProductCaches } from "./cached.ts";
import { type Config, loadConfig } from "./config.ts";
import { cacheHandlers, createCatalogEvents } from "./events.ts";
import { catalogRoutes } from "./rpc.ts";
import { createProductStore } from "./store.ts";
import type { CatalogDeps, ProductStore } from "./usecases.ts";

const service = "catalog";

interface Opened {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly broker: Broker;
  readonly resources: AsyncDisposableStack;
}

/** Starts the catalog service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger: telemetry.logger }));
  const { onStatement } = config.mesh;
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry, onStatement }));
  const { logger } = telemetry;
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: "weft_audit", directory: auditMigrations, logger });
  await migrate({ database, component: "weft_idempotency", directory: idempotencyMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const outbox = resources.use(createOutbox({ database, broker, telemetry }));
  const idempotency = resources.use(createIdempotency({ database, telemetry }));

  const products = createProductStore(database);
  const routes = catalogRoutes({
    clock: systemClock,
    database,
    idempotency,
    products,
    events: createCatalogEvents(outbox),
    ...openReads(products, { config, telemetry, broker, resources }),
  });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_catalog_v1_events],
      credentials,
      telemetry,
      discovery,
      operations: { audit, events: createEventOperations({ database, outbox, files: [file_shop_catalog_v1_events] }) },
    }),
  );
  return resources.move();
}

/** What answers are read from, and what is done with it when a product changes. */
function openReads(
  products: ProductStore,
  { config, telemetry, broker, resources }: Opened,
): Pick<CatalogDeps, "reads" | "forget"> {
  const nothing = async () => {};
  if (config.productCacheTtlMs === 0) return { reads: products, forget: { price: nothing, texts: nothing } };
  const redis = resources.use(createRedis({ url: config.redisUrl, telemetry }));
  const caches = createProductCaches({ redis, telemetry, ttlMs: config.productCacheTtlMs });
  const forget = createForgetting(caches);
  resources.use(keepFresh({ broker, telemetry, caches: Object.values(caches), handlers: cacheHandlers(forget) }));
  return { reads: createCachedReads(products, caches), forget };
}

if (import.meta.main) await runMain(service, loadConfig, start);
