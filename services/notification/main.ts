import { systemClock } from "@weft/mesh/contract";
import { createDatabase, createDueRowsWorker, migrate } from "@weft/mesh/data";
import { createBroker, eventMigrations, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { type Config, loadConfig } from "./config.ts";
import { notificationHandlers } from "./events.ts";
import { createMailer } from "./mailer.ts";
import { notificationRoutes } from "./rpc.ts";
import { createEmailStore } from "./store.ts";
import { sendEmail } from "./usecases.ts";

const service = "notification";

/** Starts the notification service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const { logger } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry }));
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));

  const emails = createEmailStore({
    database,
    clock: systemClock,
    onQueued: () => sender.wake(),
    traceparent: () => telemetry.inject().traceparent,
  });
  const mailer = resources.use(createMailer({ smtpUrl: config.smtpUrl, from: config.mailFrom, telemetry }));
  const deps = { emails: emails.sending, mailer, logger };
  const sender = resources.use(
    createDueRowsWorker({
      name: "notification.emails",
      database,
      telemetry,
      table: "emails",
      keyColumn: "event_id",
      leaseMs: 10_000,
      backoffMs: { first: 1_000, max: 300_000 },
      run: ({ key, attempts }) => sendEmail(deps, { eventId: key, attempts }),
    }),
  );
  const handlers = notificationHandlers(emails);
  resources.use(startConsumer({ service, database, broker, telemetry, handlers }));
  const routes = notificationRoutes(emails);
  resources.use(await serve({ service, config: config.mesh, routes, credentials, telemetry }));
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
