import { createMesh } from "@weft/mesh/client";
import { systemClock } from "@weft/mesh/contract";
import { auditMigrations, createAudit, createDatabase, migrate } from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createEventOperations, eventMigrations, finishReplay, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { createAskPopular, createConfirmedOrders } from "./clients.ts";
import { type Config, loadConfig } from "./config.ts";
import { eventsMax, recommendationHandlers } from "./events.ts";
import { createPairsProjection } from "./pairs-projection.ts";
import { createPopular } from "./popular.ts";
import { viewsProjection } from "./projections.ts";
import { recommendationRoutes } from "./rpc.ts";
import { createPairStore } from "./store.ts";

const service = "recommendation";
/** Nobody waits for a single event's part in a sum; together they are one transaction. */
const gatherMs = 250;

/** Starts the recommendation service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const { logger, meter } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const { inProcess, transport, faultsAllowed, instance, address, onStatement } = config.mesh;
  const mesh = resources.use(
    createMesh({
      ...{ service, credentials, telemetry, discovery, inProcess, transport, faultsAllowed },
      ...{ zone: instance.zone, instance: address },
    }),
  );
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry, onStatement }));
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: "weft_audit", directory: auditMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const pairs = createPairsProjection({ database, confirmedOrders: createConfirmedOrders(mesh) });
  await finishReplay({ database, clock: systemClock }, pairs);
  const handlers = recommendationHandlers();
  const consumer = resources.use(
    startConsumer({ service, database, broker, telemetry, handlers, batchSize: eventsMax, gatherMs }),
  );

  const popular = createPopular({ ask: createAskPopular(mesh), clock: systemClock });
  const answers = meter.createCounter("shop.recommendations", { description: "Answers by the source of their first" });
  const routes = recommendationRoutes(
    { pairs: createPairStore(database), popular, fixed: config.fixedSkus, logger },
    (source) => answers.add(1, { source }),
  );
  const events = createEventOperations({ database, projections: [pairs, viewsProjection] });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      credentials,
      telemetry,
      discovery,
      mesh,
      operations: { audit, deadLetters: consumer.deadLetters, events },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
