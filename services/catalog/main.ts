import { createRedis, keepFresh } from "@weft/mesh/cache";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, migrate } from "@weft/mesh/data";
import { createBroker, createOutbox, eventMigrations } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_catalog_v1_events } from "../../gen/shop/catalog/v1/events_pb.ts";
import { createCachedReads, createProductCaches } from "./cached.ts";
import { type Config, loadConfig } from "./config.ts";
import { cacheHandlers, createCatalogEvents } from "./events.ts";
import { catalogRoutes } from "./rpc.ts";
import { createProductStore } from "./store.ts";

const service = "catalog";

/** Starts the catalog service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger: telemetry.logger }));
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry }));
  const { logger } = telemetry;
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const outbox = resources.use(createOutbox({ database, broker, telemetry }));

  const products = createProductStore(database);
  const isCached = config.productCacheTtlMs > 0;
  const redis = resources.use(createRedis({ url: config.redisUrl, telemetry }));
  const caches = createProductCaches({ redis, telemetry, ttlMs: config.productCacheTtlMs });
  if (isCached) {
    const handlers = cacheHandlers(caches);
    resources.use(keepFresh({ broker, telemetry, caches: [caches.products, caches.pages], handlers }));
  }
  const routes = catalogRoutes({
    clock: systemClock,
    database,
    products,
    reads: isCached ? createCachedReads(products, caches) : products,
    events: createCatalogEvents(outbox),
    changed: (sku) => caches.products.invalidate([sku]),
  });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_catalog_v1_events],
      credentials,
      telemetry,
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
