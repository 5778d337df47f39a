import { jetstreamManager } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "nats";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createLink } from "./link.ts";
import { createNatsDiscovery, type NatsDiscoveryOptions } from "./nats-discovery.ts";

const bucket = "KV_weft_instances";
const telemetry = createTelemetry({ service: "test", write: () => {} });
let nats: TestEngine;
let admin: NatsConnection;
let open: AsyncDisposable[];
beforeAll(async () => {
  nats = await startNats();
  admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
});
afterAll(async () => {
  await admin?.close();
  await nats?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
});
beforeEach(() => {
  open = [];
});
afterEach(async () => {
  for (const one of open.toReversed()) await one[Symbol.asyncDispose]();
  await (await jetstreamManager(admin)).streams.delete(bucket).catch(() => {});
});

/** A process of the mesh: it can register itself and see others. */
function start(options: Partial<NatsDiscoveryOptions> & { url?: string } = {}) {
  const link = createLink({ url: options.url ?? nats.url, service: "test", telemetry });
  const discovery = createNatsDiscovery({ link, namespace: "shop", telemetry, refreshIntervalMs: 200, ...options });
  open.push(discovery);
  const see = (service = "catalog") => {
    const seen: { now: string[]; all: string[][] } = { now: [], all: [] };
    discovery.watch(service, (instances) => {
      seen.now = instances.map(({ address }) => address);
      seen.all.push(seen.now);
    });
    return seen;
  };
  const register = (address: string, service = "catalog") => {
    const registration = discovery.register(service, { address });
    open.push(registration);
    return registration;
  };
  return { discovery, link, see, register };
}
const inBucket = async () => (await (await jetstreamManager(admin)).streams.info(bucket)).state.messages;

test("a new instance is heard of within a second, one that leaves at once", async () => {
  const client = start().see();
  const server = start({ refreshIntervalMs: 60_000 });
  server.register("10.0.0.1:1");
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1"]));
  const startedMs = performance.now();
  const second = start({ refreshIntervalMs: 60_000 }).register("10.0.0.2:1");
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1", "10.0.0.2:1"]), { interval: 5 });
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  await second[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1"]), { interval: 1, timeout: 100 });
});

test("who comes later reads who is there, and not who has left", async () => {
  const server = start({ refreshIntervalMs: 60_000 });
  const first = server.register("10.0.0.1:1");
  server.register("[fd00::2]:1");
  const early = server.see();
  await vi.waitFor(() => expect(early.now).toHaveLength(2));
  await first[Symbol.asyncDispose]();
  const late = start().see();
  await vi.waitFor(() => expect(late.all).toEqual([["[fd00::2]:1"]]));
});

test("labels come with the instance", async () => {
  const { discovery } = start();
  const instance = { address: "10.0.0.1:1", version: "2", zone: "b", weight: 3 };
  open.push(discovery.register("catalog", instance));
  const heard = vi.fn();
  start().discovery.watch("catalog", heard);
  await vi.waitFor(() => expect(heard).toHaveBeenCalledWith([instance]));
});

test("the same service in two namespaces never meets", async () => {
  const [shop, other] = [start(), start({ namespace: "other" })];
  shop.register("10.0.0.1:1");
  other.register("10.0.0.2:1");
  const [here, there] = [shop.see(), other.see()];
  await vi.waitFor(() => expect([here.now, there.now]).toEqual([["10.0.0.1:1"], ["10.0.0.2:1"]]));
  expect([here.all, there.all]).toEqual([[["10.0.0.1:1"]], [["10.0.0.2:1"]]]);
});

test.each(["purged", "deleted"])("a bucket that is %s takes nobody away, and fills again", async (what) => {
  const server = start();
  server.register("10.0.0.1:1");
  server.register("10.0.0.2:1");
  const client = start().see();
  await vi.waitFor(() => expect(client.now).toHaveLength(2));
  const { streams } = await jetstreamManager(admin);
  await (what === "purged" ? streams.purge(bucket) : streams.delete(bucket));
  await vi.waitFor(async () => expect(await inBucket()).toBe(2), { timeout: 10_000 });
  const late = start().see();
  await vi.waitFor(() => expect(late.now).toHaveLength(2));
  expect(client.all.at(-1)).toHaveLength(2);
  expect(client.all.length).toBeLessThanOrEqual(2);
});

test("an entry that a stranger deletes changes nothing, and is back at once", async () => {
  const server = start({ refreshIntervalMs: 60_000 });
  server.register("10.0.0.1:1");
  server.register("10.0.0.2:1");
  const client = start().see();
  await vi.waitFor(() => expect(client.now).toHaveLength(2));
  const changes = client.all.length;
  const del = headers();
  del.set("KV-Operation", "DEL");
  admin.publish("$KV.weft_instances.shop.catalog.10.0.0.1=1", "", { headers: del });
  await admin.flush();
  const late = start().see();
  await vi.waitFor(() => expect(late.now).toHaveLength(2));
  expect(client.all).toHaveLength(changes);
});

test("garbage in the bucket is passed over", async () => {
  const client = start().see();
  const say = (key: string, value: string) => admin.publish(`$KV.weft_instances.${key}`, value);
  say("shop.catalog.x=1", "garbage");
  say("shop.catalog.10.0.0.9=1", '{"address":"10.0.0.8:1"}');
  say("shop.catalog", '{"address":"10.0.0.8:1"}');
  say("shop", "");
  start().register("10.0.0.1:1");
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1"]));
  expect(client.all).toEqual([["10.0.0.1:1"]]);
});

test("an instance that dies without a word is forgotten while others live", async () => {
  const server = start();
  server.register("10.0.0.1:1");
  const dying = start();
  dying.register("10.0.0.2:1");
  const client = start().see();
  await vi.waitFor(() => expect(client.now).toHaveLength(2));
  // Its connection goes before its registration can say anything.
  await dying.link[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1"]), { timeout: 10_000 });
});

test("while NATS is away everybody stays known; when it is back, so are those who came and went meanwhile", async () => {
  const server = start();
  server.register("10.0.0.1:1");
  const leaving = server.register("10.0.0.2:1");
  const client = start().see();
  await vi.waitFor(() => expect(client.now).toHaveLength(2));
  nats.kill("SIGKILL");
  await vi.waitFor(() => expect(server.link.isUp()).toBe(false));
  const startedMs = performance.now();
  await leaving[Symbol.asyncDispose]();
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  server.register("10.0.0.3:1");
  expect(client.now).toEqual(["10.0.0.1:1", "10.0.0.2:1"]);
  await nats.stop();
  await nats.start();
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1", "10.0.0.3:1"]), { timeout: 15_000 });
}, 40_000);

test("a process may start before NATS is there", async () => {
  await nats.stop();
  const server = start();
  server.register("10.0.0.1:1");
  const client = start().see();
  await nats.start();
  await vi.waitFor(() => expect(client.now).toEqual(["10.0.0.1:1"]), { timeout: 15_000 });
}, 40_000);

test("ends in time while NATS is frozen", async () => {
  const server = start();
  const registration = server.register("10.0.0.1:1");
  const client = server.see();
  await vi.waitFor(() => expect(client.now).toHaveLength(1));
  nats.kill("SIGSTOP");
  try {
    const startedMs = performance.now();
    await registration[Symbol.asyncDispose]();
    await server.discovery[Symbol.asyncDispose]();
    expect(performance.now() - startedMs).toBeLessThan(2_500);
    expect(client.now).toEqual(["10.0.0.1:1"]);
  } finally {
    nats.kill("SIGCONT");
  }
});

test("ends at once while NATS is away", async () => {
  const server = start({ url: "nats://127.0.0.1:1" });
  const registration = server.register("10.0.0.1:1");
  const startedMs = performance.now();
  await registration[Symbol.asyncDispose]();
  await server.discovery[Symbol.asyncDispose]();
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});
