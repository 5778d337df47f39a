import { randomUUID } from "node:crypto";
import { createRedis, keepFresh } from "@weft/mesh/cache";
import { systemClock } from "@weft/mesh/contract";
import {
  auditMigrations,
  bucketFor,
  createAudit,
  createDatabase,
  createIdempotency,
  idempotencyMigrations,
  migrate,
  newId,
} from "@weft/mesh/data";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { type Broker, createBroker, createEventOperations, createOutbox, eventMigrations } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry, type Telemetry } from "@weft/mesh/telemetry";
import { file_shop_user_v1_events } from "../../gen/shop/user/v1/events_pb.ts";
import { createCachedProfiles, createProfileCache } from "./cached.ts";
import { type Config, loadConfig } from "./config.ts";
import { cacheHandlers, createUserEvents } from "./events.ts";
import { createPasswords } from "./passwords.ts";
import { userRoutes } from "./rpc.ts";
import { createAccountStore, createProfileStore } from "./store.ts";
import { createAccessTokens, loadTokenKey } from "./tokens.ts";
import type { ProfileStore, UserDeps } from "./usecases.ts";

const service = "user";

interface Opened {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly broker: Broker;
  readonly resources: AsyncDisposableStack;
}

/** Starts the user service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger: telemetry.logger }));
  const key = await loadTokenKey(config.tokenKeyFile);
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

  const profiles = createProfileStore(database);
  const routes = userRoutes({
    clock,
    database,
    idempotency,
    accounts: createAccountStore(database),
    profiles,
    ...openReads(profiles, { config, telemetry, broker, resources }),
    passwords: await createPasswords(telemetry),
    tokens: await createAccessTokens({ key, issuer: config.tokenIssuer, clock, newTokenId: randomUUID }),
    events: createUserEvents(outbox),
    // The bucket is a hash of the address, so that logging in by address needs no directory of shards either.
    newUserId: (email) => newId("usr", bucketFor(email), { clock, random: Math.random }),
  });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_user_v1_events],
      credentials,
      telemetry,
      discovery,
      operations: { audit, events: createEventOperations({ database, outbox, files: [file_shop_user_v1_events] }) },
    }),
  );
  return resources.move();
}

/** What answers are read from, and what is done with it when a profile changes. */
function openReads(
  profiles: ProfileStore,
  { config, telemetry, broker, resources }: Opened,
): Pick<UserDeps, "profileReads" | "profileChanged"> {
  if (config.profileCacheTtlMs === 0) return { profileReads: profiles, profileChanged: async () => {} };
  const redis = resources.use(createRedis({ url: config.redisUrl, telemetry }));
  const cache = createProfileCache({ redis, telemetry, ttlMs: config.profileCacheTtlMs });
  resources.use(keepFresh({ broker, telemetry, caches: [cache], handlers: cacheHandlers(cache) }));
  return {
    profileReads: createCachedProfiles(profiles, cache),
    profileChanged: (userId) => cache.invalidate([userId]),
  };
}

if (import.meta.main) await runMain(service, loadConfig, start);
