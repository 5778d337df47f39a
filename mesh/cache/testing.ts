import { create } from "@bufbuild/protobuf";
import { startRedis, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { eventually } from "../data/testing.ts";
import { Happened, type Thing } from "../events/testing-events.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { type CacheOptions, createCache } from "./cache.ts";
import { createRedis, type RedisConnection } from "./redis.ts";

const thing = (text: string): Thing => create(Happened, { thingId: "thing", text });

/** A table that can be read slowly, and how often it was read. */
export function createTable(initial: Record<string, string> = { a: "1", b: "2" }) {
  const rows = new Map(Object.entries(initial));
  const table = {
    rows,
    reads: 0,
    /** What a read waits for after it has read. */
    gate: Promise.resolve() as Promise<unknown>,
    async one(key: string) {
      return (await table.many([key])).get(key);
    },
    async many(keys: readonly string[]) {
      table.reads += 1;
      const found = keys.flatMap((key): [string, Thing][] => {
        const text = rows.get(key);
        return text === undefined ? [] : [[key, thing(text)]];
      });
      await table.gate;
      return new Map(found);
    },
  };
  return table;
}

/** A process that caches what it reads of a table. */
export interface CachingProcess {
  readonly redis: RedisConnection;
  readonly cache: ReturnType<typeof createCache<typeof Happened>>;
  text(key: string): Promise<string | undefined>;
  /** "a1": the key and its text. */
  texts(...keys: string[]): Promise<string[]>;
  /** Values go to Redis behind the answer: waits until they are there. */
  stored(): Promise<unknown>;
}

/** Starts a Redis, and makes processes that share it and a clock that stands still. */
export async function startCacheWorld() {
  await using stack = new AsyncDisposableStack();
  const telemetry = stack.use(createTelemetry({ service: "test", write: () => {} }));
  const server: TestEngine = stack.use(await startRedis());
  const time = { nowMs: 1_000_000 };
  const clock = { now: () => time.nowMs, monotonic: () => performance.now() };
  const resources = stack.move();
  let names = 0;

  const connect = async (): Promise<RedisConnection> => {
    const redis = resources.use(createRedis({ url: server.url, telemetry }));
    await eventually(() => redis.isReady());
    return redis;
  };

  /** Processes that read one table, and call their cache the same. */
  const group = (options: Partial<CacheOptions<typeof Happened>> = {}) => {
    const table = createTable();
    const name = `test-${++names}`;
    const make = async (more: Partial<CacheOptions<typeof Happened>> = {}): Promise<CachingProcess> => {
      const redis = await connect();
      const base = { name, schema: Happened, redis, telemetry, clock };
      const cache = createCache({ ...base, ...options, ...more });
      return {
        redis,
        cache,
        text: async (key) => (await cache.get(key, () => table.one(key)))?.text,
        texts: async (...keys) =>
          [...(await cache.getMany(keys, table.many))].map(([key, { text }]) => `${key}${text}`).sort(),
        stored: () => redis.run("test.ping", (commands) => commands.ping()),
      };
    };
    return { table, name, make };
  };

  return { server, telemetry, time, clock, group, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
