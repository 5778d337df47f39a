import { createClient } from "@connectrpc/connect";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { createMesh } from "../client/mesh.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { serve } from "../server/serve.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { createLink } from "./link.ts";
import { createNatsDiscovery } from "./nats-discovery.ts";

const anyPort = { host: "127.0.0.1", port: 0 };
let nats: TestEngine;
let world: World;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats?.[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** One process's own view of the registry. */
function discover(service: string) {
  const telemetry = world.telemetry(service);
  const link = createLink({ url: nats.url, service, telemetry });
  const discovery = createNatsDiscovery({ link, namespace: "load", telemetry, refreshIntervalMs: 500 });
  world.defer(async () => await discovery[Symbol.asyncDispose]());
  return { discovery, telemetry };
}

/** Starts an instance that answers with its name, and makes itself known. */
async function start(name: string) {
  const { discovery, telemetry } = discover("echo");
  const server = await serve({
    ...{ service: "echo", credentials: await world.credentials("echo"), telemetry, discovery },
    config: { grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort },
    routes: echoRoutes({ echo: () => ({ text: name }) }),
  });
  world.defer(async () => await server[Symbol.asyncDispose]());
  return server;
}

/** Calls without a pause, eight at a time; none of them may be repeated. */
async function startLoad(transport: "tunnel" | "grpc") {
  const { discovery, telemetry } = discover("caller");
  const credentials = await world.credentials("caller");
  const mesh = createMesh({ service: "caller", credentials, telemetry, discovery, transport });
  world.defer(() => mesh[Symbol.dispose]());
  const echo = createClient(EchoService, mesh.transport("echo"));
  const reached = new Map<string, number>();
  const failures: unknown[] = [];
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      await echo.echo({}).then(
        ({ text }) => reached.set(text, of(text) + 1),
        (error: unknown) => failures.push(error),
      );
    }
  };
  const of = (name: string) => reached.get(name) ?? 0;
  const running = Promise.all(Array.from({ length: 8 }, run));
  return {
    of,
    failures,
    /** Until each of those named has answered so many more calls. */
    async more(count: number, ...names: string[]) {
      const before = new Map(names.map((name) => [name, of(name)]));
      await expect.poll(() => names.every((name) => of(name) >= (before.get(name) ?? 0) + count)).toBe(true);
    },
    async end() {
      stopping.abort();
      await running;
    },
  };
}

describe.each(["tunnel", "grpc"] as const)("under load, by %s,", (transport) => {
  test("a new instance gets calls within a second, one that drains none after it said so, and none fails", async () => {
    await start("one");
    const second = await start("two");
    const load = await startLoad(transport);
    await load.more(20, "one", "two");
    const startedMs = performance.now();
    await start("three");
    await expect.poll(() => load.of("three"), { interval: 5 }).toBeGreaterThan(0);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await second[Symbol.asyncDispose]();
    const drainedAt = load.of("two");
    await load.more(50, "one", "three");
    await load.end();
    expect([load.failures, load.of("two")]).toEqual([[], drainedAt]);
  });

  test("a registry that is purged, deleted, killed and empty when it is back fails no call", async () => {
    const admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    world.defer(() => admin.close());
    const { streams } = await jetstreamManager(admin);
    await start("one");
    await start("two");
    const load = await startLoad(transport);
    await load.more(20, "one", "two");
    await streams.purge("KV_weft_instances");
    await load.more(100, "one", "two");
    await streams.delete("KV_weft_instances");
    await load.more(100, "one", "two");
    await nats.stop();
    await load.more(100, "one", "two");
    await nats.start();
    await start("three");
    await load.more(100, "one", "two", "three");
    await load.end();
    expect(load.failures).toEqual([]);
  }, 60_000);

  test("instances that are restarted one after the other fail no call", async () => {
    const running = new Map([
      ["a1", await start("a1")],
      ["b1", await start("b1")],
      ["c1", await start("c1")],
    ]);
    const load = await startLoad(transport);
    await load.more(20, ...running.keys());
    for (const name of ["a", "b", "c"]) {
      await running.get(`${name}1`)?.[Symbol.asyncDispose]();
      await start(`${name}2`);
      await load.more(20, `${name}2`);
    }
    await load.end();
    expect(load.failures).toEqual([]);
  });
});
