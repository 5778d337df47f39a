import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRedis, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { runDetached } from "../context/call-context.ts";
import { eventually } from "../data/testing.ts";
import { Happened, type Thing } from "../events/testing-events.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { type CacheOptions, createCache } from "./cache.ts";
import { createRedis, type RedisConnection } from "./redis.ts";

let server: TestEngine;
const telemetry = createTelemetry({ service: "test", write: () => {} });
const open: RedisConnection[] = [];
let names = 0;
let nowMs = 0;
const clock = { now: () => nowMs, monotonic: () => performance.now() };

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
});
beforeEach(() => {
  nowMs = 1_000_000;
});
afterEach(async () => {
  for (const redis of open.splice(0)) await redis[Symbol.asyncDispose]();
});

async function connect() {
  const redis = createRedis({ url: server.url, telemetry });
  open.push(redis);
  await eventually(() => redis.isReady());
  return redis;
}

const thing = (text: string): Thing => create(Happened, { thingId: "thing", text });

/** A table that can be read slowly, and who reads it. */
function table(initial: Record<string, string> = { a: "1", b: "2" }) {
  const rows = new Map(Object.entries(initial));
  const state = {
    rows,
    reads: 0,
    /** What a read waits for after it has read. */
    gate: Promise.resolve() as Promise<unknown>,
    async one(key: string) {
      return (await state.many([key])).get(key);
    },
    async many(keys: readonly string[]) {
      state.reads += 1;
      const found = keys.flatMap((key): [string, Thing][] => {
        const text = rows.get(key);
        return text === undefined ? [] : [[key, thing(text)]];
      });
      await state.gate;
      return new Map(found);
    },
  };
  return state;
}

/** Processes that share a Redis and a table. */
async function processes(count: number, options: Partial<CacheOptions<typeof Happened>> = {}) {
  const source = table();
  const name = `test-${++names}`;
  const make = async () => {
    const redis = await connect();
    const more = { redis, telemetry, clock, random: () => 0, ...options };
    const cache = createCache({ name, schema: Happened, ...more });
    return {
      redis,
      cache,
      text: async (key: string) => (await cache.get(key, () => source.one(key)))?.text,
      texts: async (...keys: string[]) =>
        [...(await cache.getMany(keys, source.many))].map(([key, { text }]) => `${key}${text}`).sort(),
    };
  };
  const all = [];
  for (let index = 0; index < count; index += 1) all.push(await make());
  return { source, make, all };
}
type Process = Awaited<ReturnType<typeof processes>>["all"][number];
const only = ({ all }: { all: Process[] }, index = 0): Process => {
  const found = all[index];
  if (found === undefined) throw new Error("no such process");
  return found;
};
/** Stores go out behind the answer. */
const stored = (process: Process) => process.redis.run("test.ping", (commands) => commands.ping());

describe("reading", () => {
  test("one load serves all: those at the same time, those later, and the other processes", async () => {
    const world = await processes(2);
    const [first, second] = [only(world), only(world, 1)];
    expect(await Promise.all(Array.from({ length: 50 }, () => first.text("a")))).toEqual(Array(50).fill("1"));
    expect(await first.text("a")).toBe("1");
    await stored(first);
    expect(await second.text("a")).toBe("1");
    expect(world.source.reads).toBe(1);
  });

  test("many keys are one load of those that are missing", async () => {
    const world = await processes(1);
    const asked: (readonly string[])[] = [];
    const process = only(world);
    await process.text("a");
    const values = await process.cache.getMany(["a", "b", "none", "b"], (keys) => {
      asked.push(keys);
      return world.source.many(keys);
    });
    expect([[...values.keys()].sort(), asked]).toEqual([["a", "b"], [["b", "none"]]]);
  });

  test("that there is none is remembered for a while", async () => {
    const world = await processes(2, { negativeTtlMs: 5_000 });
    const process = only(world);
    expect(await process.text("none")).toBeUndefined();
    await stored(process);
    expect([await process.text("none"), await only(world, 1).text("none"), world.source.reads]).toEqual([
      ...[undefined, undefined],
      1,
    ]);
    world.source.rows.set("none", "some");
    nowMs += 5_001;
    expect(await process.text("none")).toBe("some");
  });

  test("an error is all waiters', and is not kept", async () => {
    const process = only(await processes(1));
    const failing = () => Promise.reject(new Error("no database"));
    const results = await Promise.allSettled([process.cache.get("a", failing), process.cache.get("a", failing)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await process.text("a")).toBe("1");
  });

  test("a caller who goes away does not take the load from the others; a load that hangs is given up", async () => {
    const world = await processes(1, { loadTimeoutMs: 300 });
    const process = only(world);
    const gate = Promise.withResolvers<void>();
    world.source.gate = gate.promise;
    const impatient = runDetached({ timeoutMs: 30 }, () => process.text("a"));
    const patient = process.text("a");
    await expect(impatient).rejects.toThrow(/deadline/);
    gate.resolve();
    expect(await patient).toBe("1");
    world.source.gate = new Promise(() => {});
    await expect(process.text("b")).rejects.toThrow(/deadline/);
    world.source.gate = Promise.resolve();
    expect(await process.text("b")).toBe("2");
  });

  test("holds no more than entriesMax", async () => {
    const world = await processes(1, { entriesMax: 2 });
    for (const key of ["x", "y", "z"]) world.source.rows.set(key, key);
    const process = only(world);
    for (const key of ["x", "y", "x", "z"]) await process.text(key);
    await stored(process);
    await process.redis.run("test.flush", (commands) => commands.flushall());
    const before = world.source.reads;
    for (const key of ["x", "z"]) await process.text(key);
    expect(world.source.reads).toBe(before);
    await process.text("y");
    expect(world.source.reads).toBe(before + 1);
  });
});

describe("growing old", () => {
  test("a stale value is given out at once, and a new one loaded behind it, once", async () => {
    const world = await processes(2, { ttlMs: 1_000, staleMs: 10_000 });
    const [first, second] = [only(world), only(world, 1)];
    await first.text("a");
    await stored(first);
    world.source.rows.set("a", "new");
    nowMs += 1_500;
    const gate = Promise.withResolvers<void>();
    world.source.gate = gate.promise;
    expect(await Promise.all([first.text("a"), first.text("a"), second.text("a")])).toEqual(["1", "1", "1"]);
    gate.resolve();
    await eventually(async () => (await first.text("a")) === "new" && (await second.text("a")) === "new");
    expect(world.source.reads).toBeLessThanOrEqual(3);
  });

  test("past its time it is loaded before the answer", async () => {
    const world = await processes(1, { ttlMs: 1_000, staleMs: 100 });
    const process = only(world);
    await process.text("a");
    world.source.rows.set("a", "new");
    nowMs += 1_200;
    expect(await process.text("a")).toBe("new");
  });

  test("a refresh that fails leaves the stale value", async () => {
    const world = await processes(1, { ttlMs: 1_000, staleMs: 10_000 });
    const process = only(world);
    await process.text("a");
    nowMs += 1_500;
    const failing = () => Promise.reject(new Error("no database"));
    for (let index = 0; index < 3; index += 1) {
      expect((await process.cache.get("a", failing))?.text).toBe("1");
      await stored(process);
    }
  });

  test("lives end up to a tenth apart", async () => {
    const world = await processes(1, { ttlMs: 1_000, staleMs: 0, random: () => 0.999 });
    const process = only(world);
    await process.text("a");
    nowMs += 950;
    await process.text("a");
    expect(world.source.reads).toBe(2);
  });
});

describe("a change", () => {
  test("is seen by who made it at once, and by others when they hear of it", async () => {
    const world = await processes(2);
    const [first, second] = [only(world), only(world, 1)];
    await first.text("a");
    await stored(first);
    await second.text("a");
    world.source.rows.set("a", "new");
    await first.cache.invalidate(["a"]);
    expect([await first.text("a"), await second.text("a")]).toEqual(["new", "1"]);
    await second.cache.invalidate(["a"]);
    expect(await second.text("a")).toBe("new");
  });

  test("in the midst of a load: what was read before it is kept nowhere", async () => {
    const world = await processes(3);
    const [reader, writer, later] = [only(world), only(world, 1), only(world, 2)];
    const gate = Promise.withResolvers<void>();
    world.source.gate = gate.promise;
    const reading = reader.text("a");
    await eventually(() => world.source.reads === 1);
    world.source.rows.set("a", "new");
    await writer.cache.invalidate(["a"]);
    await reader.cache.invalidate(["a"]);
    world.source.gate = Promise.resolve();
    // Who comes after the change does not wait for the old load.
    expect(await reader.text("a")).toBe("new");
    gate.resolve();
    expect(await reading).toBe("1");
    await stored(reader);
    expect([await reader.text("a"), await later.text("a")]).toEqual(["new", "new"]);
  });

  test("in the midst of a load in a process that has not heard of it yet: it does not get into Redis", async () => {
    const world = await processes(3);
    const [reader, writer, later] = [only(world), only(world, 1), only(world, 2)];
    const gate = Promise.withResolvers<void>();
    world.source.gate = gate.promise;
    const reading = reader.text("a");
    await eventually(() => world.source.reads === 1);
    world.source.rows.set("a", "new");
    await writer.cache.invalidate(["a"]);
    gate.resolve();
    expect(await reading).toBe("1");
    await stored(reader);
    expect(await later.text("a")).toBe("new");
  });

  test("of everything", async () => {
    const world = await processes(2);
    const [first, second] = [only(world), only(world, 1)];
    expect(await first.texts("a", "b")).toEqual(["a1", "b2"]);
    await stored(first);
    world.source.rows.set("a", "x").set("b", "y");
    await first.cache.invalidateAll();
    expect([await first.texts("a", "b"), await second.texts("a", "b")]).toEqual([
      ["ax", "by"],
      ["ax", "by"],
    ]);
  });

  test("while the process's memory is not trusted, Redis is asked each time", async () => {
    const world = await processes(2);
    const [first, second] = [only(world), only(world, 1)];
    await second.text("a");
    await stored(second);
    second.cache.trustLocalWhile(() => false);
    world.source.rows.set("a", "new");
    await first.cache.invalidate(["a"]);
    expect(await second.text("a")).toBe("new");
  });
});

describe("Redis", () => {
  test("away means slower: every value is right, loads are still shared within a process", async () => {
    const world = await processes(1, { localTtlMs: 10 });
    const process = only(world);
    await process.text("a");
    await server.stop();
    nowMs += 20;
    const startedMs = performance.now();
    expect(await Promise.all(Array.from({ length: 20 }, () => process.text("a")))).toEqual(Array(20).fill("1"));
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(world.source.reads).toBe(2);
    await server.start();
  });

  test("frozen during a change: the old value does not come back with it", async () => {
    const world = await processes(2, { localTtlMs: 10 });
    const [writer, other] = [only(world), only(world, 1)];
    await writer.text("a");
    await stored(writer);
    server.kill("SIGSTOP");
    world.source.rows.set("a", "new");
    await Promise.all([writer, other].map(({ cache }) => cache.invalidate(["a"])));
    expect([await writer.text("a"), await other.text("a")]).toEqual(["new", "new"]);
    server.kill("SIGCONT");
    for (let index = 0; index < 30; index += 1) {
      nowMs += 20;
      expect([await writer.text("a"), await other.text("a")]).toEqual(["new", "new"]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // And it is of use again.
    const before = world.source.reads;
    await eventually(async () => {
      nowMs += 20;
      const reads = world.source.reads;
      return (await other.text("a")) === "new" && world.source.reads === reads && reads >= before;
    });
  });

  test("flushed and stopped under load: no error, no wrong value", async () => {
    const world = await processes(2, { localTtlMs: 5 });
    const [first, second] = [only(world), only(world, 1)];
    let running = true;
    let answers = 0;
    const load = async (process: Process) => {
      while (running) {
        nowMs += 1;
        expect(await process.texts("a", "b")).toEqual(["a1", "b2"]);
        answers += 1;
        await setImmediate();
      }
    };
    const loading = Promise.all([load(first), load(second), load(first)]);
    await first.redis.run("test.flush", (commands) => commands.flushall());
    await eventually(() => answers > 200);
    await server.stop();
    const reached = answers;
    await eventually(() => answers > reached + 200);
    await server.start();
    await eventually(() => first.redis.isReady() && second.redis.isReady());
    const again = answers;
    await eventually(() => answers > again + 200);
    running = false;
    await loading;
  });

  test("full of another's bytes is no error", async () => {
    const world = await processes(1);
    const process = only(world);
    const name = process.cache.name;
    await process.redis.run("test.set", (commands) =>
      commands.set(`{cache:${name}}a`, "V:99999999999:\xff\xff garbage"),
    );
    expect(await process.text("a")).toBe("1");
  });
});
