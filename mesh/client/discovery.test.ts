import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runDetached } from "../context/call-context.ts";
import type { Discovery, Instance, Registry } from "../contract/discovery.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { serve as startServer } from "../server/serve.ts";
import { createLocalDiscovery } from "../testing/discovery.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";
import { createMesh } from "./mesh.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** Starts an instance that answers with its name. */
const serve = (name: string) => world.serve("echo", echoRoutes({ echo: () => ({ text: name }) }));
const client = async () => createClient(EchoService, (await world.mesh("caller")).transport("echo"));
type Client = Awaited<ReturnType<typeof client>>;

/** Calls one after the other until told to stop; answers who was reached how often. */
function load(echo: Client) {
  const reached = new Map<string, number>();
  const failures: unknown[] = [];
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      await echo.echo({}).then(
        ({ text }) => reached.set(text, (reached.get(text) ?? 0) + 1),
        (error: unknown) => failures.push(error),
      );
    }
  };
  const running = Promise.all([run(), run(), run(), run()]);
  return {
    reached,
    failures,
    async end() {
      stopping.abort();
      await running;
    },
  };
}

test("a new instance gets calls within a second, one that drains none after it said so, and no call fails", async () => {
  await serve("one");
  const second = await serve("two");
  const { reached, failures, end } = load(await client());
  await expect.poll(() => reached.size).toBe(2);
  const startedMs = performance.now();
  await serve("three");
  await expect.poll(() => reached.get("three") ?? 0, { interval: 5 }).toBeGreaterThan(0);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  await second.server[Symbol.asyncDispose]();
  const drainedAt = reached.get("two");
  const others = reached.get("one") ?? 0;
  await expect.poll(() => reached.get("one") ?? 0).toBeGreaterThan(others + 20);
  await end();
  expect([failures, reached.get("two")]).toEqual([[], drainedAt]);
});

test("all instances replaced one after the other fail no call", async () => {
  let running = [await serve("a1"), await serve("b1")];
  const { reached, failures, end } = load(await client());
  for (const generation of [2, 3]) {
    for (const name of ["a", "b"]) {
      running.push(await serve(`${name}${generation}`));
      await expect.poll(() => reached.get(`${name}${generation}`) ?? 0).toBeGreaterThan(0);
      await running[0]?.server[Symbol.asyncDispose]();
      running = running.slice(1);
    }
  }
  await end();
  expect(failures).toEqual([]);
});

test("an instance is taken out of its registry while it still answers", async () => {
  const { address } = await serve("other");
  const echo = createClient(EchoService, (await world.mesh("caller", { echo: [address] })).transport("echo"));
  const anyPort = { host: "127.0.0.1", port: 0 };
  const registered: Instance[] = [];
  let answer: string | undefined;
  const registry: Registry = {
    register(_service, instance) {
      registered.push(instance);
      return {
        async [Symbol.asyncDispose]() {
          const client = (await world.mesh("caller", { echo: [instance.address] })).transport("echo");
          answer = (await createClient(EchoService, client).echo({})).text;
        },
      };
    },
  };
  const server = await startServer({
    ...{ service: "echo", credentials: await world.credentials("echo"), telemetry: world.telemetry("echo") },
    config: {
      ...{ grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort },
      instance: { host: "127.0.0.1", version: "2", zone: "b", weight: 3 },
    },
    discovery: registry,
    routes: echoRoutes({ echo: () => ({ text: "leaving" }) }),
  });
  expect(registered).toEqual([{ address: `127.0.0.1:${server.port}`, version: "2", zone: "b", weight: 3 }]);
  await server[Symbol.asyncDispose]();
  expect([answer, (await echo.echo({})).text]).toEqual(["leaving", "other"]);
});

/** A client of a source that knows of nobody yet. */
async function clientOf(discovery: Discovery) {
  const options = { service: "caller", credentials: await world.credentials("caller"), discovery };
  const mesh = createMesh({ ...options, telemetry: world.telemetry("caller") });
  return { mesh, echo: createClient(EchoService, mesh.transport("echo")) };
}

test("calls made before an instance is known wait for the first, whatever their kind", async () => {
  const discovery = createLocalDiscovery();
  const { mesh, echo } = await clientOf(discovery);
  using _mesh = mesh;
  const calls = Promise.all([echo.echo({ text: "x" }), collect(echo.repeat({ text: "x", count: 2 }))]);
  const { address } = await world.serve("echo", echoRoutes());
  discovery.register("echo", { address });
  const [answer, messages] = await calls;
  expect([answer.text, messages.length]).toEqual(["x", 2]);
});

test("a call does not wait past its deadline for an instance", async () => {
  const { mesh, echo } = await clientOf(createLocalDiscovery());
  using _mesh = mesh;
  const startedMs = performance.now();
  expect((await failure(echo.echo({}, { timeoutMs: 50 }))).code).toBe(Code.DeadlineExceeded);
  expect((await failure(runDetached({ timeoutMs: 50 }, () => echo.echo({})))).code).toBe(Code.DeadlineExceeded);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});

test("where nobody becomes known, calls fail and say so, at once from the third second on", async () => {
  const { mesh, echo } = await clientOf(createLocalDiscovery());
  using _mesh = mesh;
  const first = await failure(echo.echo({}, { timeoutMs: 5_000 }));
  expect([first.code, first.rawMessage]).toEqual([Code.Unavailable, expect.stringContaining("no instance of echo")]);
  const startedMs = performance.now();
  expect((await failure(echo.echoAgain({}))).code).toBe(Code.Unavailable);
  expect(performance.now() - startedMs).toBeLessThan(500);
});

test("a mesh that ends lets those go who wait for an instance", async () => {
  const { mesh, echo } = await clientOf(createLocalDiscovery());
  const waiting = failure(echo.echo({}, { timeoutMs: 5_000 }));
  mesh[Symbol.dispose]();
  expect((await waiting).code).toBe(Code.Canceled);
});
