import { setTimeout as wait } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { type StreamProxy, startStreamProxy } from "../testing/stream-proxy.ts";
import { createWorld, type World } from "../testing/world.ts";
import type { Mesh } from "./mesh.ts";

const tunnelPath = "/weft.tunnel.v1.TunnelService/Open";
const echoPath = "/weft.echo.v1.EchoService/Echo";

let world: World;
let proxy: StreamProxy;
let mesh: Mesh;
beforeEach(async () => {
  world = await createWorld();
  const { address } = await world.serve("echo", echoRoutes());
  await world.credentials("caller");
  proxy = await startStreamProxy({
    certificates: world.directory,
    server: "echo",
    client: "caller",
    upstream: address,
  });
  mesh = await world.mesh("caller", { echo: [proxy.address] });
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const clientOf = (own: Mesh) => createClient(EchoService, own.transport("echo"));
const opened = (path: string): number => proxy.opened.get(path) ?? 0;

test("calls of an edge take the way that its settings say, from the next call on", async () => {
  const echo = clientOf(mesh);
  const take = async (transport: "auto" | "tunnel" | "grpc"): Promise<[tunnels: number, plain: number]> => {
    mesh.edge("echo").transport = transport;
    const before = [opened(tunnelPath), opened(echoPath)] as const;
    for (let call = 0; call < 3; call++) await echo.echo({ text: "x" });
    return [opened(tunnelPath) - before[0], opened(echoPath) - before[1]];
  };
  expect(await take("auto")).toEqual([1, 0]);
  expect(await take("grpc")).toEqual([0, 3]);
  expect(await take("tunnel")).toEqual([1, 0]);
  expect(await take("auto")).toEqual([0, 0]);
});

test("messages that are large, and streams, take calls of their own beside the tunnel", async () => {
  const echo = clientOf(mesh);
  await echo.echo({ text: "small" });
  const large = "x".repeat(65 * 1024);
  expect((await echo.echo({ text: large })).text).toBe(large);
  for await (const { text } of echo.repeat({ text: "again", count: 2 })) expect(text).toBe("again");
  expect([opened(tunnelPath), opened(echoPath), opened("/weft.echo.v1.EchoService/Repeat")]).toEqual([1, 1, 1]);
});

test("tunnels that something in between keeps resetting are given up: calls that may not run twice fail no more", async () => {
  proxy.streamMaxMs = 250;
  const failures: { code: Code; tunnels: number }[] = [];
  const succeeded = { before: 0, after: 0 };
  const echo = clientOf(mesh);
  let over = false;
  const caller = async (): Promise<void> => {
    while (!over) {
      await echo.echo({ text: "x", delay: { seconds: 0n, nanos: 20_000_000 } }).then(
        () => (succeeded[opened(echoPath) === 0 ? "before" : "after"] += 1),
        (error: unknown) => void failures.push({ code: ConnectError.from(error).code, tunnels: opened(tunnelPath) }),
      );
    }
  };
  const callers = Array.from({ length: 4 }, caller);
  await expect.poll(() => opened(echoPath), { timeout: 10_000, interval: 10 }).toBeGreaterThan(0);
  const [failedBefore, tunnelsBefore] = [failures.length, opened(tunnelPath)];
  await expect.poll(() => succeeded.after, { timeout: 20_000, interval: 50 }).toBeGreaterThan(200);
  over = true;
  await Promise.all(callers);
  expect([tunnelsBefore, opened(tunnelPath), succeeded.before > 0]).toEqual([3, 3, true]);
  // Each break may cost those in flight: what becomes of them nobody knows.
  expect(failedBefore).toBeLessThanOrEqual(3 * 4);
  expect(failures.length).toBe(failedBefore);
  expect(new Set(failures.map(({ code }) => code))).toEqual(new Set([Code.Unavailable]));
});

test("idempotent calls do not notice that tunnels are reset", async () => {
  proxy.streamMaxMs = 250;
  const echo = clientOf(mesh);
  let calls = 0;
  const caller = async (): Promise<void> => {
    for (; calls < 400 || opened("/weft.echo.v1.EchoService/EchoAgain") === 0; calls++) {
      await echo.echoAgain({ text: "x" });
      await wait(5);
    }
  };
  await Promise.all(Array.from({ length: 4 }, caller));
  expect(opened(tunnelPath)).toBe(3);
});
