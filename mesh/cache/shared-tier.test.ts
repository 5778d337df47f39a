import { clone, create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { eventually } from "../data/testing.ts";
import { Happened, type Thing } from "../events/testing-events.ts";
import { createCache } from "./cache.ts";
import type { RedisConnection } from "./redis.ts";
import { createSharedTier } from "./shared-tier.ts";
import { startCacheWorld } from "./testing.ts";

let world: Awaited<ReturnType<typeof startCacheWorld>>;
beforeAll(async () => {
  world = await startCacheWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

test("no key that a caller chooses is one of the cache's own", async () => {
  const { table, name, make } = world.group();
  const first = await make();
  await first.cache.invalidateAll();
  await first.text("a");
  await first.stored();
  const own = await first.redis.run("test.keys", (commands) => commands.keys(`*${name}*`));
  for (const redisKey of own) {
    for (let from = 0; from < redisKey.length; from += 1) await first.text(redisKey.slice(from));
  }
  await first.stored();
  const before = table.reads;
  expect([await (await make()).text("a"), table.reads]).toEqual(["1", before]);
});

test("what was there before everything was removed stays gone, though Redis forget that it was", async () => {
  const { table, name, make } = world.group();
  const [first, second] = [await make(), await make()];
  await first.text("a");
  await first.stored();
  table.rows.set("a", "new");
  await first.cache.invalidateAll();
  await first.redis.run("test.evict", async (commands) => {
    for (const key of await commands.keys(`*${name}*`)) if ((await commands.pttl(key)) === -1) await commands.del(key);
  });
  expect(await second.text("a")).toBe("new");
});

test("a Redis that comes back with what it held before a change is not believed", async () => {
  const { table, make } = world.group();
  const first = await make();
  await first.text("a");
  await first.stored();
  await first.redis.run("test.save", (commands) => commands.save());
  table.rows.set("a", "new");
  await first.cache.invalidate(["a"]);
  world.server.kill("SIGKILL");
  await eventually(() => !first.redis.isReady());
  await world.server.stop();
  await world.server.start();
  const later = await make();
  expect(await later.redis.run("test.keys", (commands) => commands.dbsize())).toBeGreaterThan(0);
  expect(await later.text("a")).toBe("new");
  await later.stored();
  const before = table.reads;
  expect([await (await make()).text("a"), table.reads]).toEqual(["new", before]);
});

test("an old value whose storing timed out, and runs after the change, does not last", async () => {
  const { table, make } = world.group({ localTtlMs: 0 });
  const [reader, writer, later] = [await make(), await make(), await make()];
  const gate = Promise.withResolvers<void>();
  table.gate = gate.promise;
  const reading = reader.text("a");
  await eventually(() => table.reads === 1);
  world.server.kill("SIGSTOP");
  gate.resolve();
  expect(await reading).toBe("1");
  table.rows.set("a", "new");
  table.gate = Promise.resolve();
  // Gives up while the storing still lies in Redis' socket.
  await writer.cache.invalidate(["a"]);
  world.server.kill("SIGCONT");
  for (let round = 0; round < 20; round += 1) expect(await writer.text("a")).toBe("new");
  await eventually(() => later.redis.isReady());
  for (let round = 0; round < 20; round += 1) expect(await later.text("a")).toBe("new");
});

test("what a process has stored that knows an older version of the message is loaded anew, and invalidated with it", async () => {
  const { name, make } = world.group();
  const old = await make();
  const schema = withOneMoreField();
  /** What a process of the next release gets that loads that. */
  const read = async (more: string) => {
    const { redis, stored } = await make();
    const cache = createCache({ name, schema, redis, telemetry: world.telemetry, clock: world.clock });
    const value = await cache.get("a", async () => create(schema, { text: "1", more }));
    await stored();
    return value?.more;
  };
  await old.text("a");
  await old.stored();
  expect([await read("known"), await read("not loaded")]).toEqual(["known", "known"]);
  await old.cache.invalidate(["a"]);
  expect(await read("new")).toBe("new");
});

/** The same message a release later. */
function withOneMoreField() {
  const file = clone(FileDescriptorProtoSchema, Happened.file.proto);
  const field = { name: "more", number: 3, type: FieldDescriptorProto_Type.STRING };
  for (const message of file.messageType) message.field.push(create(FieldDescriptorProtoSchema, field));
  const registry = createFileRegistry(file, () => Happened.file.dependencies[0]);
  return registry.getMessage(Happened.typeName) as GenMessage<Thing & { more: string }>;
}

describe("removals while Redis is away", () => {
  const away = () => rpcError(Code.Unavailable, "Redis is not available");

  /** A Redis that answers when and as the test says. */
  function scripted() {
    const waiting: { name: string; answer: PromiseWithResolvers<unknown> }[] = [];
    const redis: Pick<RedisConnection, "isReady" | "serverId" | "run" | "onReady"> = {
      isReady: () => true,
      serverId: () => "server",
      onReady: () => {},
      run: <T>(name: string) => {
        const answer = Promise.withResolvers<unknown>();
        waiting.push({ name, answer });
        return answer.promise as Promise<T>;
      },
    };
    const next = (name: string) => {
      const found = waiting.shift();
      if (found?.name !== name) throw new Error(`${name} was expected, not ${found?.name}`);
      return found.answer;
    };
    const { telemetry } = world;
    const tier = createSharedTier({ ...{ name: "scripted", version: "1", redis, telemetry, leaseMs: 1_000 } });
    return { tier, next };
  }

  test("one that fails while those before it are made up for is made up for as well", async () => {
    const { tier, next } = scripted();
    const failing = tier.remove(["a", "b"]);
    next("cache.remove").reject(away());
    await failing;
    expect(tier.pending()).toBe(2);
    await tier.find(["a"]);
    const repair = next("cache.remove");
    const failingAgain = tier.remove(["a"]);
    next("cache.remove").reject(away());
    await failingAgain;
    repair.resolve(2);
    await eventually(() => tier.pending() === 1);
    expect((await tier.find(["a"])).size).toBe(0);
  });

  test("of everything: the same", async () => {
    const { tier, next } = scripted();
    const failing = tier.removeAll();
    next("cache.removeAll").reject(away());
    await failing;
    await tier.find(["a"]);
    const repair = next("cache.removeAll");
    const failingAgain = tier.removeAll();
    next("cache.removeAll").reject(away());
    await failingAgain;
    repair.resolve("OK");
    await new Promise(setImmediate);
    expect(tier.pending()).toBeGreaterThan(0);
  });
});
