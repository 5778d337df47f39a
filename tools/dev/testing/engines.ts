import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { inject } from "vitest";
import { createDatabaseAndUser, dropDatabaseAndUser } from "../engines/database.ts";
import type { EngineName } from "../engines/engine.ts";
import { createEngines } from "../engines/engines.ts";
// For the types that the global setup provides.
import type {} from "./global-setup.ts";

/** A schema of a test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** Of a user who may do everything in this schema and nothing elsewhere. */
  readonly url: string;
  readonly name: string;
}

/** A server of a test's own, which it may stop, kill and start again (same port, same data). */
export interface TestEngine extends AsyncDisposable {
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** A fresh schema with a random name (`<prefix>_<random>`) on the run's MariaDB; disposing drops it. */
export async function testDatabase(prefix = "test"): Promise<TestDatabase> {
  const adminUrl = await testMysqlAdminUrl();
  const name = `${prefix}_${randomBytes(5).toString("hex")}`;
  const url = await createDatabaseAndUser(adminUrl, name, randomUUID());
  return { url, name, [Symbol.asyncDispose]: () => dropDatabaseAndUser(adminUrl, name) };
}

/** The administrator's URL of the run's MariaDB. */
export function testMysqlAdminUrl(): Promise<string> {
  return runEngineUrl("mariadb");
}

/** The run's NATS, shared by test files that run side by side: make names of streams and subjects unique, or use `startNats`. */
export function testNatsUrl(): Promise<string> {
  return runEngineUrl("nats");
}

/** The run's Redis, shared by test files that run side by side: make keys unique. */
export function testRedisUrl(): Promise<string> {
  return runEngineUrl("redis");
}

/** A NATS server of one's own on a free port, whatever NATS_URL says; disposing stops it. */
export function startNats(): Promise<TestEngine> {
  return startOwn("nats");
}

/** A Redis of one's own on a free port, for tests that stop, flush or kill it, or start services, whose keys are fixed. */
export function startRedis(): Promise<TestEngine> {
  return startOwn("redis");
}

/** A MariaDB of one's own on a free port (about 0.5 s and 100 MB), for tests that stop or kill it; `url` is the administrator's. */
export function startMariadb(): Promise<TestEngine> {
  return startOwn("mariadb");
}

async function startOwn(name: EngineName): Promise<TestEngine> {
  const engines = createEngines({
    directory: join(inject("weftTestDirectory"), `own-${randomUUID()}`),
    cacheDirectory: inject("weftCacheDirectory"),
  });
  await engines.start(name);
  return {
    url: engines.status(name).url,
    start: () => engines.start(name),
    stop: () => engines.stop(name),
    kill: (signal) => engines.kill(name, signal),
    [Symbol.asyncDispose]: () => engines.stop(name),
  };
}

async function runEngineUrl(name: EngineName): Promise<string> {
  const response = await fetch(`${inject("weftEnginesUrl")}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
