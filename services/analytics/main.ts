import { randomUUID } from "node:crypto";
import { createRedis } from "@weft/mesh/cache";
import { systemClock } from "@weft/mesh/contract";
import { auditMigrations, createAudit, createDatabase, migrate } from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createEventOperations, eventMigrations, startConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { createOperatorCheck, runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { type Config, loadConfig } from "./config.ts";
import { analyticsHandlers, eventsMax } from "./events.ts";
import { startJobs } from "./jobs.ts";
import { createLeaderboard } from "./leaderboard.ts";
import { analyticsRoutes } from "./rpc.ts";
import { createPurgeStore, createReports, createScoreStore } from "./store.ts";
import { rollUpStore } from "./sums.ts";
import { createSumsProjection } from "./sums-projection.ts";
import { rebuildLeaderboard } from "./usecases.ts";

const service = "analytics";
/** Nobody waits for a single event's part in a sum; together they are one transaction. */
const gatherMs = 250;

/** Starts the analytics service; disposing of what it returns drains and stops it. */
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
  const redis = resources.use(createRedis({ url: config.redisUrl, telemetry }));

  const scores = createScoreStore(database);
  const leaderboard = createLeaderboard({ redis, key: "analytics:top_products", newName: randomUUID });
  const rows = createPurgeStore(database);
  resources.use(startJobs({ database, sums: rollUpStore, scores, leaderboard, rows, clock, telemetry }));
  const handlers = analyticsHandlers();
  const consumer = resources.use(
    startConsumer({ service, database, broker, telemetry, handlers, batchSize: eventsMax, gatherMs }),
  );
  const requireOperator = createOperatorCheck(config.mesh.credentials.trustDomain);
  const routes = analyticsRoutes({
    scores,
    leaderboard,
    reports: createReports(database),
    logger,
    requireOperator,
    audited: audit.audited,
  });
  const rebuild = () => rebuildLeaderboard({ scores, leaderboard });
  const projections = [createSumsProjection({ database, clock, rebuildLeaderboard: rebuild })];
  const events = createEventOperations({ database, projections });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      credentials,
      telemetry,
      discovery,
      operations: { audit, deadLetters: consumer.deadLetters, events },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
