import { systemClock } from "@weft/mesh/contract";
import {
  auditMigrations,
  createAudit,
  createDatabase,
  createDueRowsWorker,
  type DueRowsWorker,
  migrate,
} from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, eventMigrations, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { type Config, loadConfig } from "./config.ts";
import { type Channel, channels } from "./domain.ts";
import { notificationHandlers } from "./events.ts";
import { createGateway } from "./gateway.ts";
import { createMailer } from "./mailer.ts";
import { notificationRoutes } from "./rpc.ts";
import { loadWebhookSecret } from "./signature.ts";
import { createMessageStore } from "./store.ts";
import { sendMessage } from "./usecases.ts";

const service = "notification";

/** Starts the notification service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const { logger } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const webhookKey = await loadWebhookSecret(config.webhookSecret);
  const { onStatement } = config.mesh;
  const database = resources.use(createDatabase({ url: config.mysqlUrl, telemetry, onStatement }));
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger });
  await migrate({ database, component: "weft_audit", directory: auditMigrations, logger });
  await migrate({ database, component: service, directory: new URL("./migrations/", import.meta.url), logger });
  const audit = createAudit({ database, telemetry });
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));

  const senders = new Map<Channel, DueRowsWorker>();
  const messages = createMessageStore({
    database,
    clock,
    onQueued: (channel) => senders.get(channel)?.wake(),
    traceparent: () => telemetry.inject().traceparent,
  });
  const mailer = resources.use(createMailer({ smtpUrl: config.smtpUrl, from: config.mailFrom, telemetry }));
  const gateway = createGateway({ url: config.webhookUrl, key: webhookKey, telemetry, clock });
  const carriers = { EMAIL: mailer, SMS: gateway.sms, PUSH: gateway.push };
  const deps = { messages: messages.sending, carriers, logger };
  for (const channel of channels) {
    const sender = createDueRowsWorker({
      name: `notification.${channel.toLowerCase()}`,
      database,
      telemetry,
      table: "messages",
      keyColumn: "message_id",
      // One for each channel: a mail server that does not answer must not keep text messages waiting.
      only: { column: "channel", value: channel },
      leaseMs: 10_000,
      backoffMs: { first: 1_000, max: 300_000 },
      run: ({ key, attempts, leaseToken }) => sendMessage(deps, { messageId: key, attempts, leaseToken }),
    });
    senders.set(channel, resources.use(sender));
  }
  const handlers = notificationHandlers(messages);
  const consumer = resources.use(startConsumer({ service, database, broker, telemetry, handlers }));
  const routes = notificationRoutes(messages);
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      credentials,
      telemetry,
      discovery,
      operations: { audit, deadLetters: consumer.deadLetters },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
