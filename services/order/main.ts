import { setTimeout as pause } from "node:timers/promises";
import { createMesh } from "@weft/mesh/client";
import { systemClock } from "@weft/mesh/contract";
import {
  auditMigrations,
  bucketOf,
  createAudit,
  createDatabase,
  createDueRowsWorker,
  createIdempotency,
  idempotencyMigrations,
  migrate,
  newId,
} from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import {
  createBroker,
  createEventOperations,
  createOutbox,
  ensureFilled,
  eventMigrations,
  replayProjection,
  startConsumer,
} from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { createOperatorCheck, runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_order_v1_events } from "../../gen/shop/order/v1/events_pb.ts";
import { createOrderChanges } from "./changes.ts";
import { createCatalog, createInventory, createPayment } from "./clients.ts";
import { type Config, loadConfig } from "./config.ts";
import { createReadConfirmed } from "./confirmed-orders.ts";
import { orderEventTable } from "./event-pages.ts";
import { createPublish, historyHandlers, orderHandlers } from "./events.ts";
import { createFulfilmentStore } from "./fulfilment-store.ts";
import { historyProjection } from "./history-projection.ts";
import { createHistoryStore } from "./history-store.ts";
import { orderRoutes } from "./rpc.ts";
import { runSaga } from "./saga.ts";
import { createSagaAdmin, listStuckSagas } from "./saga-admin.ts";
import { createSagaRows } from "./saga-admin-store.ts";
import { measureStuckSagas } from "./saga-metrics.ts";
import { createOrderStore, readVersions } from "./store.ts";

const service = "order";

/** Starts the order service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const random = Math.random;
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const { logger } = telemetry;
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
  await migrate({ database, component: "weft_idempotency", directory: idempotencyMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const outbox = resources.use(createOutbox({ database, broker, telemetry }));
  const idempotency = resources.use(createIdempotency({ database, telemetry, clock }));

  const changes = createOrderChanges({
    readVersions: (orderIds) => readVersions(database, orderIds),
    onPollError: (error) => logger.warn("cannot look for changed orders", { error }),
  });
  telemetry.meter
    .createObservableGauge("shop.order.listeners", { description: "Calls that wait for changes of orders" })
    .addCallback((result) => {
      for (const [purpose, count] of Object.entries(changes.counts())) result.observe(count, { purpose });
    });
  const orders = createOrderStore({ database, clock, publish: createPublish(outbox), onChange: changes.notify });
  const { stays, stuckAfterMs } = config;
  const inventory = createInventory(mesh);
  const saga = { orders, inventory, payment: createPayment(mesh, logger), clock, random, stays };
  const sagas = resources.use(
    createDueRowsWorker({
      name: "order.sagas",
      database,
      telemetry,
      table: "sagas",
      keyColumn: "order_id",
      run: ({ key, attempts, leaseToken }) => runSaga(saga, { orderId: key, attempts, leaseToken }),
    }),
  );
  const adminDeps = { orders, sagaRows: createSagaRows(database), sagas, clock, stays, stuckAfterMs };
  measureStuckSagas(telemetry, () => listStuckSagas(adminDeps));
  await ensureFilled({ database, clock }, historyProjection, service);
  const handlers = [...orderHandlers({ orders, wakeSagas: sagas.wake }), ...historyHandlers()];
  const consumer = resources.use(startConsumer({ service, database, broker, telemetry, handlers }));

  const newOrderId = (userId: string) => newId("ord", bucketOf(userId, "user_id"), { clock, random });
  const history = createHistoryStore(database);
  const wakeSagas = sagas.wake;
  const catalog = createCatalog(mesh);
  const fulfilment = createFulfilmentStore(database);
  const operations = {
    requireOperator: createOperatorCheck(config.mesh.credentials.trustDomain),
    audited: audit.audited,
    rebuildHistory: () => replayProjection({ database, clock }, historyProjection, "RebuildHistory", () => {}),
  };
  const events = createEventOperations({
    ...{ database, outbox, projections: [historyProjection] },
    ...{ tables: [orderEventTable], files: [file_shop_order_v1_events] },
  });
  const routes = orderRoutes({
    ...{ orders, history, fulfilment, catalog, changes, clock, newOrderId, sagas, wakeSagas, pause, idempotency },
    readConfirmed: createReadConfirmed(database),
    ...operations,
  });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_order_v1_events],
      credentials,
      telemetry,
      discovery,
      mesh,
      operations: { audit, deadLetters: consumer.deadLetters, events, sagas: createSagaAdmin(adminDeps) },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
