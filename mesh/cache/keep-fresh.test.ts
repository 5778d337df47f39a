import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis, type TestEngine } from "../../tools/dev/testing/engines.ts";
import type { DirectPublisher } from "../events/direct-publisher.ts";
import { onRepeatableEvent } from "../events/handler.ts";
import { eventually, startWorld, type World } from "../events/testing.ts";
import { Happened } from "../events/testing-events.ts";
import { createCache } from "./cache.ts";
import { keepFresh } from "./keep-fresh.ts";
import { createRedis } from "./redis.ts";

let world: World;
let redisServer: TestEngine;
let publisher: DirectPublisher;
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  world = resources.use(await startWorld());
  redisServer = resources.use(await startRedis());
  await world.broker.session(AbortSignal.timeout(5_000));
  publisher = world.publisher();
});
afterAll(() => resources.disposeAsync());

/** What the database holds. */
let row = "1";
let reads = 0;

const started: { redis: AsyncDisposable; broadcast: AsyncDisposable }[] = [];

/** A process that caches, and hears of changes. */
function startProcess() {
  const { telemetry } = world;
  const redis = resources.use(createRedis({ url: redisServer.url, telemetry }));
  const cache = createCache({ name: "keep-fresh", schema: Happened, redis, telemetry });
  const handlers = [onRepeatableEvent(Happened, ({ thingId }) => cache.invalidate([thingId]))];
  const broadcast = resources.use(keepFresh({ broker: world.newBroker(), telemetry, caches: [cache], handlers }));
  const load = async () => {
    reads += 1;
    return create(Happened, { text: row });
  };
  started.push({ redis, broadcast });
  return { redis, broadcast, cache, text: async () => (await cache.get("a", load))?.text };
}

test("a change is seen in every process within a second, whatever is away", async () => {
  const all = [startProcess(), startProcess(), startProcess()];
  const seenByAll = async (text: string) => {
    const startedMs = performance.now();
    await eventually(async () => (await Promise.all(all.map((each) => each.text()))).every((each) => each === text));
    return performance.now() - startedMs;
  };
  const change = (text: string) => {
    row = text;
    publisher.publish(Happened, { thingId: "a", text });
  };
  await eventually(() => all.every(({ redis, broadcast }) => redis.isReady() && broadcast.isCurrent()));
  expect(await seenByAll("1")).toBeLessThan(1_000);
  const before = reads;
  for (let index = 0; index < 100; index += 1) await seenByAll("1");
  expect(reads).toBe(before);

  change("2");
  expect(await seenByAll("2")).toBeLessThan(1_000);

  await redisServer.stop();
  change("3");
  expect(await seenByAll("3")).toBeLessThan(1_000);
  await redisServer.start();
  await eventually(() => all.every(({ redis }) => redis.isReady()));
  expect(await seenByAll("3")).toBeLessThan(1_000);
});

test("while the broker is away a process's memory is not used: what another removes from Redis is gone for it too", async () => {
  const [first, second] = [startProcess(), startProcess()];
  await eventually(() => [first, second].every(({ redis, broadcast }) => redis.isReady() && broadcast.isCurrent()));
  await first.text();
  await second.text();
  world.nats.kill("SIGKILL");
  await eventually(() => !second.broadcast.isCurrent());
  row = "4";
  await first.redis.run("test.flush", (commands) => commands.flushall());
  expect(await second.text()).toBe("4");
  await world.nats.stop();
  await world.nats.start();
  await eventually(() => second.broadcast.isCurrent());
});

test("what a process held before the broker went away is not believed when it is back: an event may be still on its way", async () => {
  row = "5";
  const [writer, reader] = [startProcess(), startProcess()];
  await eventually(() => [writer, reader].every(({ redis, broadcast }) => redis.isReady() && broadcast.isCurrent()));
  await writer.cache.invalidate(["a"]);
  await eventually(async () => (await reader.text()) === "5");
  world.nats.kill("SIGKILL");
  await eventually(() => !reader.broadcast.isCurrent());
  row = "6";
  await writer.cache.invalidate(["a"]);
  await world.nats.stop();
  await world.nats.start();
  await eventually(() => reader.broadcast.isCurrent());
  expect(await reader.text()).toBe("6");
});

test("what changed while no process was there to hear of it is removed from Redis by the next", async () => {
  row = "7";
  const last = startProcess();
  await eventually(() => last.redis.isReady() && last.broadcast.isCurrent());
  await last.cache.invalidate(["a"]);
  expect(await last.text()).toBe("7");
  await last.redis.run("test.ping", (commands) => commands.ping());
  for (const { redis, broadcast } of started) {
    await broadcast[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  }
  row = "8";
  const { last_seq: before } = (await world.manager.streams.info(world.broker.events.name)).state;
  publisher.publish(Happened, { thingId: "a", text: row });
  await eventually(async () => (await world.manager.streams.info(world.broker.events.name)).state.last_seq > before);
  const next = startProcess();
  await eventually(() => next.redis.isReady() && next.broadcast.isCurrent());
  expect(await next.text()).toBe("8");
});

test("a process hears of a change though it still waits for Redis to remove another", async () => {
  const heard: string[] = [];
  const handlers = [
    onRepeatableEvent(Happened, ({ text }) => {
      heard.push(text);
      return new Promise<void>(() => {});
    }),
  ];
  const { telemetry } = world;
  const broadcast = resources.use(keepFresh({ broker: world.newBroker(), telemetry, caches: [], handlers }));
  await eventually(() => broadcast.isCurrent());
  for (const text of ["x", "y"]) publisher.publish(Happened, { thingId: "b", text });
  await eventually(() => ["x", "y"].every((text) => heard.includes(text)));
});
