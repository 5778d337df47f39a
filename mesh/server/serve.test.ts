import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";
import { AdminService } from "../gen/weft/admin/v1/admin_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );

describe("health", () => {
  test("tells of the server and of each service, and knows no others", async () => {
    await world.serve("echo", echoRoutes());
    const health = createClient(Health, (await world.mesh("caller")).transport("echo"));
    expect((await health.check({})).status).toBe(Status.SERVING);
    expect((await health.check({ service: "weft.echo.v1.EchoService" })).status).toBe(Status.SERVING);
    expect((await errorOf(health.check({ service: "no.Such" })))?.code).toBe(Code.NotFound);
    expect(Object.keys((await health.list({})).statuses)).toEqual(["weft.echo.v1.EchoService", ""]);
  });
});

describe("the admin API", () => {
  test("answers the operator", async () => {
    await world.serve("echo", echoRoutes());
    const admin = createClient(AdminService, (await world.mesh("operator")).transport("echo"));
    const answer = await admin.getProcess({});
    expect(answer).toMatchObject({ service: "echo", pid: BigInt(process.pid) });
    expect(answer.residentBytes).toBeGreaterThan(10_000_000n);
    expect((await admin.listBreakers({})).breakers).toEqual([]);
  });

  test("refuses anybody else and says who may", async () => {
    await world.serve("echo", echoRoutes());
    const admin = createClient(AdminService, (await world.mesh("order")).transport("echo"));
    const error = await errorOf(admin.getProcess({}));
    expect(error?.code).toBe(Code.PermissionDenied);
    expect(error?.message).toContain("spiffe://test.local/operator");
  });
});

describe("a server that is disposed of", () => {
  test("lets calls in hand end, says that it does not serve, and takes no new ones", async () => {
    let answer: (() => void) | undefined;
    const { server } = await world.serve(
      "echo",
      echoRoutes({
        async echo({ text }) {
          await new Promise<void>((resolve) => {
            answer = resolve;
          });
          return { text };
        },
      }),
    );
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    const statuses: Status[] = [];
    const watching = (async () => {
      for await (const { status } of createClient(Health, mesh.transport("echo")).watch({})) statuses.push(status);
    })().catch(() => undefined);
    await expect.poll(() => statuses).toEqual([Status.SERVING]);
    const inHand = echo.echo({ text: "still answered" });
    await expect.poll(() => answer).toBeDefined();
    const draining = server[Symbol.asyncDispose]();
    await expect.poll(() => statuses).toEqual([Status.SERVING, Status.NOT_SERVING]);
    const late = createClient(EchoService, (await world.mesh("late")).transport("echo"));
    expect((await errorOf(late.echo({})))?.code).toBe(Code.Unavailable);
    answer?.();
    expect((await inHand).text).toBe("still answered");
    await draining;
    await watching;
  });
});

test("an address that is taken is named with the setting that changes it", async () => {
  const { server } = await world.serve("echo", echoRoutes());
  await expect(world.serve("other", echoRoutes(), { port: server.port })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${server.port}: is it in use? WEFT_GRPC_ADDR changes it`,
  );
});
