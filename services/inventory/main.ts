import { systemClock } from "@weft/mesh/contract";
import { auditMigrations, createAudit, createDatabase, migrate } from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createEventOperations, createOutbox, eventMigrations, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_inventory_v1_events } from "../../gen/shop/inventory/v1/events_pb.ts";
import { type Config, loadConfig } from "./config.ts";
import { createStockEvents, inventoryHandlers } from "./events.ts";
import { createImportStore } from "./import-store.ts";
import { inventoryRoutes } from "./rpc.ts";
import { createStockStore } from "./store.ts";
import { startSweep } from "./sweep.ts";
import { expireReservations } from "./usecases.ts";

const service = "inventory";

/** Starts the inventory service; disposing of what it returns drains and stops it. */
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
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const outbox = resources.use(createOutbox({ database, broker, telemetry }));

  const { lowStockThreshold, reservationTtlMs, sweepIntervalMs } = config;
  const deps = {
    clock: systemClock,
    database,
    stock: createStockStore(database),
    imports: createImportStore(database),
    events: createStockEvents(outbox),
    lowStockThreshold,
  };
  const consumer = resources.use(
    startConsumer({ service, database, broker, telemetry, handlers: inventoryHandlers(deps) }),
  );
  const expire = (limit: number) => expireReservations(deps, { ttlMs: reservationTtlMs, limit });
  resources.use(startSweep({ expire, intervalMs: sweepIntervalMs, telemetry, random: Math.random }));
  const routes = inventoryRoutes(deps);
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_inventory_v1_events],
      credentials,
      telemetry,
      discovery,
      operations: {
        audit,
        deadLetters: consumer.deadLetters,
        events: createEventOperations({ database, outbox, files: [file_shop_inventory_v1_events] }),
      },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
