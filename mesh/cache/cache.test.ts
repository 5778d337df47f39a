import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { runDetached } from "../context/call-context.ts";
import { eventually } from "../data/testing.ts";
import { type CachingProcess, startCacheWorld } from "./testing.ts";

let world: Awaited<ReturnType<typeof startCacheWorld>>;
beforeAll(async () => {
  world = await startCacheWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

describe("reading", () => {
  test("one load serves all: those at the same time, those later, and the other processes", async () => {
    const { table, make } = world.group();
    const [first, second] = [await make(), await make()];
    expect(await Promise.all(Array.from({ length: 50 }, () => first.text("a")))).toEqual(Array(50).fill("1"));
    expect(await first.text("a")).toBe("1");
    await first.stored();
    expect(await second.text("a")).toBe("1");
    expect(table.reads).toBe(1);
  });

  test("many keys are one load of those that are missing", async () => {
    const { table, make } = world.group();
    const asked: (readonly string[])[] = [];
    const process = await make();
    await process.text("a");
    const values = await process.cache.getMany(["a", "b", "none", "b"], (keys) => {
      asked.push(keys);
      return table.many(keys);
    });
    expect([[...values.keys()].sort(), asked]).toEqual([["a", "b"], [["b", "none"]]]);
  });

  test("that there is none is remembered for a while", async () => {
    const { table, make } = world.group({ negativeTtlMs: 5_000 });
    const process = await make();
    expect(await process.text("none")).toBeUndefined();
    await process.stored();
    expect([await process.text("none"), await (await make()).text("none"), table.reads]).toEqual([
      ...[undefined, undefined],
      1,
    ]);
    table.rows.set("none", "some");
    world.time.nowMs += 5_001;
    expect(await process.text("none")).toBe("some");
  });

  test("an error is all waiters', and is not kept", async () => {
    const process = await world.group().make();
    const failing = () => Promise.reject(new Error("no database"));
    const results = await Promise.allSettled([process.cache.get("a", failing), process.cache.get("a", failing)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await process.text("a")).toBe("1");
  });

  test("a caller who goes away does not take the load from the others; a load that hangs is given up", async () => {
    const { table, make } = world.group({ loadTimeoutMs: 300 });
    const process = await make();
    const gate = Promise.withResolvers<void>();
    table.gate = gate.promise;
    const impatient = runDetached({ timeoutMs: 30 }, () => process.text("a"));
    const patient = process.text("a");
    await expect(impatient).rejects.toThrow(/deadline/);
    gate.resolve();
    expect(await patient).toBe("1");
    table.gate = new Promise(() => {});
    await expect(process.text("b")).rejects.toThrow(/deadline/);
    table.gate = Promise.resolve();
    expect(await process.text("b")).toBe("2");
  });

  test.each([{ entriesMax: 2 }, { bytesMax: 2_500 }])("holds no more than %j", async (limit) => {
    const { table, make } = world.group(limit);
    for (const key of ["x", "y", "z"]) table.rows.set(key, key.repeat(1_000));
    const process = await make();
    for (const key of ["x", "y", "x", "z"]) await process.text(key);
    await process.stored();
    await process.redis.run("test.flush", (commands) => commands.flushall());
    const before = table.reads;
    for (const key of ["x", "z"]) await process.text(key);
    expect(table.reads).toBe(before);
    await process.text("y");
    expect(table.reads).toBe(before + 1);
  });
});

describe("growing old", () => {
  test("a stale value is given out at once, and a new one loaded behind it, once", async () => {
    const { table, make } = world.group({ ttlMs: 1_000, staleMs: 10_000 });
    const [first, second] = [await make(), await make()];
    await first.text("a");
    await first.stored();
    table.rows.set("a", "new");
    world.time.nowMs += 1_500;
    const gate = Promise.withResolvers<void>();
    table.gate = gate.promise;
    expect(await Promise.all([first.text("a"), first.text("a"), second.text("a")])).toEqual(["1", "1", "1"]);
    gate.resolve();
    await eventually(async () => (await first.text("a")) === "new" && (await second.text("a")) === "new");
    expect(table.reads).toBeLessThanOrEqual(3);
  });

  test("past its time it is loaded before the answer", async () => {
    const { table, make } = world.group({ ttlMs: 1_000, staleMs: 100 });
    const process = await make();
    await process.text("a");
    table.rows.set("a", "new");
    world.time.nowMs += 1_200;
    expect(await process.text("a")).toBe("new");
  });

  test("a refresh that fails leaves the stale value", async () => {
    const { make } = world.group({ ttlMs: 1_000, staleMs: 10_000 });
    const process = await make();
    await process.text("a");
    world.time.nowMs += 1_500;
    const failing = () => Promise.reject(new Error("no database"));
    for (let index = 0; index < 3; index += 1) {
      expect((await process.cache.get("a", failing))?.text).toBe("1");
      await process.stored();
    }
  });

  test("lives end up to a tenth apart", async () => {
    const { table, make } = world.group({ ttlMs: 1_000, staleMs: 0, random: () => 0.999 });
    const process = await make();
    await process.text("a");
    world.time.nowMs += 950;
    await process.text("a");
    expect(table.reads).toBe(2);
  });
});

describe("a change", () => {
  test("is seen by who made it at once, and by others when they hear of it", async () => {
    const { table, make } = world.group();
    const [first, second] = [await make(), await make()];
    await first.text("a");
    await first.stored();
    await second.text("a");
    table.rows.set("a", "new");
    await first.cache.invalidate(["a"]);
    expect([await first.text("a"), await second.text("a")]).toEqual(["new", "1"]);
    await second.cache.invalidate(["a"]);
    expect(await second.text("a")).toBe("new");
  });

  test("in the midst of a load: what was read before it is kept nowhere", async () => {
    const { table, make } = world.group();
    const [reader, writer, later] = [await make(), await make(), await make()];
    const gate = Promise.withResolvers<void>();
    table.gate = gate.promise;
    const reading = reader.text("a");
    await eventually(() => table.reads === 1);
    table.rows.set("a", "new");
    await writer.cache.invalidate(["a"]);
    await reader.cache.invalidate(["a"]);
    table.gate = Promise.resolve();
    // Who comes after the change does not wait for the old load.
    expect(await reader.text("a")).toBe("new");
    gate.resolve();
    expect(await reading).toBe("1");
    await reader.stored();
    expect([await reader.text("a"), await later.text("a")]).toEqual(["new", "new"]);
  });

  test("in the midst of a load in a process that has not heard of it yet: it does not get into Redis", async () => {
    const { table, make } = world.group();
    const [reader, writer, later] = [await make(), await make(), await make()];
    const gate = Promise.withResolvers<void>();
    table.gate = gate.promise;
    const reading = reader.text("a");
    await eventually(() => table.reads === 1);
    table.rows.set("a", "new");
    await writer.cache.invalidate(["a"]);
    gate.resolve();
    expect(await reading).toBe("1");
    await reader.stored();
    expect(await later.text("a")).toBe("new");
  });

  test("of everything", async () => {
    const { table, make } = world.group();
    const [first, second] = [await make(), await make()];
    expect(await first.texts("a", "b")).toEqual(["a1", "b2"]);
    await first.stored();
    table.rows.set("a", "x").set("b", "y");
    await first.cache.invalidateAll();
    expect([await first.texts("a", "b"), await second.texts("a", "b")]).toEqual([
      ["ax", "by"],
      ["ax", "by"],
    ]);
  });

  test("while the process's memory is not trusted, Redis is asked each time", async () => {
    const { table, make } = world.group();
    const [first, second] = [await make(), await make()];
    await second.text("a");
    await second.stored();
    second.cache.trustLocalWhile(() => false);
    table.rows.set("a", "new");
    await first.cache.invalidate(["a"]);
    expect(await second.text("a")).toBe("new");
  });
});

describe("Redis", () => {
  test("away means slower: every value is right, loads are still shared within a process", async () => {
    const { table, make } = world.group({ localTtlMs: 10 });
    const process = await make();
    await process.text("a");
    await world.server.stop();
    world.time.nowMs += 20;
    const startedMs = performance.now();
    expect(await Promise.all(Array.from({ length: 20 }, () => process.text("a")))).toEqual(Array(20).fill("1"));
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(table.reads).toBe(2);
    await world.server.start();
  });

  test("frozen during a change: the old value does not come back with it", async () => {
    const { table, make } = world.group({ localTtlMs: 10 });
    const [writer, other] = [await make(), await make()];
    await writer.text("a");
    await writer.stored();
    world.server.kill("SIGSTOP");
    table.rows.set("a", "new");
    await Promise.all([writer, other].map(({ cache }) => cache.invalidate(["a"])));
    expect([await writer.text("a"), await other.text("a")]).toEqual(["new", "new"]);
    world.server.kill("SIGCONT");
    for (let index = 0; index < 30; index += 1) {
      world.time.nowMs += 20;
      expect([await writer.text("a"), await other.text("a")]).toEqual(["new", "new"]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // And it is of use again.
    const before = table.reads;
    await eventually(async () => {
      world.time.nowMs += 20;
      const reads = table.reads;
      return (await other.text("a")) === "new" && table.reads === reads && reads >= before;
    });
  });

  test("flushed and stopped under load: no error, no wrong value", async () => {
    const { make } = world.group({ localTtlMs: 5 });
    const [first, second] = [await make(), await make()];
    let running = true;
    let answers = 0;
    const load = async (process: CachingProcess) => {
      while (running) {
        world.time.nowMs += 1;
        expect(await process.texts("a", "b")).toEqual(["a1", "b2"]);
        answers += 1;
        await setImmediate();
      }
    };
    const loading = Promise.all([load(first), load(second), load(first)]);
    await first.redis.run("test.flush", (commands) => commands.flushall());
    await eventually(() => answers > 200);
    await world.server.stop();
    const reached = answers;
    await eventually(() => answers > reached + 200);
    await world.server.start();
    await eventually(() => first.redis.isReady() && second.redis.isReady());
    const again = answers;
    await eventually(() => answers > again + 200);
    running = false;
    await loading;
  });

  test("full of another's bytes is no error", async () => {
    const { make } = world.group();
    const process = await make();
    const name = process.cache.name;
    await process.redis.run("test.set", (commands) =>
      commands.set(`{cache:${name}}a`, "V:99999999999:\xff\xff garbage"),
    );
    expect(await process.text("a")).toBe("1");
  });
});

test("what it does is counted by tier, and what it holds is measured", async () => {
  const { name, make } = world.group();
  const [second, first] = [await make(), await make()];
  const port = await freePort();
  await using _metrics = await world.telemetry.serveMetrics({ host: "127.0.0.1", port });
  await first.text("a");
  await first.stored();
  await Promise.all([first.text("a"), second.text("a"), second.text("a")]);
  await second.cache.invalidate(["a", "b"]);
  world.server.kill("SIGKILL");
  await eventually(() => !first.redis.isReady());
  await first.text("b");
  await first.cache.invalidate(["none"]);
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const figure = (metric: string, ...labels: string[]) => {
    const line = text
      .split("\n")
      .find((it) => [`weft_cache_${metric}`, `cache="${name}"`, ...labels].every((part) => it.includes(part)));
    return Number(line?.split(" ").at(-1));
  };
  expect({
    localHits: figure("hits", 'tier="local"'),
    sharedHits: figure("hits", 'tier="shared"'),
    misses: figure("misses"),
    loads: figure("loads", 'outcome="loaded"'),
    waits: figure("waits"),
    invalidations: figure("invalidations"),
    failedFinds: figure("shared_failures", 'operation="find"'),
    failedRemovals: figure("shared_failures", 'operation="remove"'),
    entries: figure("entries"),
    pending: figure("pending_invalidations"),
  }).toEqual({
    ...{ localHits: 1, sharedHits: 1, misses: 2, loads: 2, waits: 1, invalidations: 3 },
    ...{ failedFinds: 1, failedRemovals: 1, entries: 2, pending: 1 },
  });
  expect(figure("bytes")).toBeGreaterThan(10);
  await world.server.stop();
  await world.server.start();
});
