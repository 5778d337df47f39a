import { systemClock } from "@weft/mesh/contract";
import { auditMigrations, createAudit, createDatabase, createDueRowsWorker, migrate } from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createEventOperations, createOutbox, eventMigrations, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_payment_v1_events } from "../../gen/shop/payment/v1/events_pb.ts";
import { type Config, loadConfig } from "./config.ts";
import { createPublish, paymentHandlers } from "./events.ts";
import { createProvider } from "./provider.ts";
import { paymentRoutes } from "./rpc.ts";
import { createSagaAdmin } from "./saga-admin.ts";
import { createPaymentStore } from "./store.ts";
import { runPayment } from "./usecases.ts";

const service = "payment";

/** Starts the payment service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const { logger } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const { onStatement } = config.mesh;
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry, onStatement }));
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: "weft_audit", directory: auditMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const outbox = resources.use(createOutbox({ database, broker, telemetry }));

  const payments = createPaymentStore({
    database,
    publish: createPublish(outbox),
    onDue: () => worker.wake(),
    traceparent: () => telemetry.inject().traceparent,
  });
  const provider = createProvider({ url: config.providerUrl, key: config.providerKey, telemetry });
  const deps = { payments, provider, clock, logger };
  const worker = resources.use(
    createDueRowsWorker({
      name: "payment.payments",
      database,
      telemetry,
      table: "payments",
      keyColumn: "order_id",
      // A payment whose outcome the provider cannot tell is asked about twice a minute; this is most of an hour.
      stuckAfter: { attempts: 100 },
      run: ({ key, attempts, leaseToken }) => runPayment(deps, { orderId: key, attempts, leaseToken }),
    }),
  );
  const handlers = paymentHandlers({ payments, clock });
  const consumer = resources.use(startConsumer({ service, database, broker, telemetry, handlers }));
  const routes = paymentRoutes(deps);
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_payment_v1_events],
      credentials,
      telemetry,
      discovery,
      operations: {
        audit,
        deadLetters: consumer.deadLetters,
        events: createEventOperations({ database, outbox, files: [file_shop_payment_v1_events] }),
        sagas: createSagaAdmin({ duePayments: payments.due, worker, clock }),
      },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
