import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { createMesh, type MeshOptions } from "../client/mesh.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { signOverride } from "../overrides/signed-override.ts";
import { overrideAt } from "../overrides/testing.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";
import type { Bucket } from "./bucket.ts";
import { createLink } from "./link.ts";
import { openDiscovery } from "./open-discovery.ts";
import { createOverrideBucket } from "./override-source.ts";

let nats: TestEngine;
let world: World;
let bucket: Bucket;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats?.[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await createWorld();
  await world.credentials("operator");
  const telemetry = world.telemetry("operator");
  const link = createLink({ url: nats.url, service: "operator", telemetry });
  world.defer(async () => await link[Symbol.asyncDispose]());
  bucket = createOverrideBucket({ link, telemetry });
  await expect.poll(() => link.isUp()).toBe(true);
});
afterEach(() => world[Symbol.asyncDispose]());

/** A namespace of each test's own: the bucket outlives it. */
const namespaceOf = () => (expect.getState().currentTestName ?? "").replace(/\W+/g, "-").slice(0, 40);

/** A process that calls echo, finds it by NATS and obeys overrides. */
async function startCaller(options: Partial<MeshOptions> = {}) {
  const { service = "caller" } = options;
  const telemetry = world.telemetry(service);
  const setting = { source: "nats", namespace: namespaceOf(), url: nats.url } as const;
  const discovery = openDiscovery(setting, { service, telemetry });
  world.defer(async () => await discovery[Symbol.asyncDispose]());
  const credentials = await world.credentials(service);
  const mesh = createMesh({ service, credentials, telemetry, discovery, ...options });
  world.defer(() => mesh[Symbol.dispose]());
  const register = (address: string, version: string) => {
    const registration = discovery.register("echo", { address, version });
    world.defer(async () => await registration[Symbol.asyncDispose]());
  };
  return { mesh, register, echo: createClient(EchoService, mesh.transport("echo")) };
}

/** What the operator signs now. */
async function put(changes: Parameters<typeof overrideAt>[1] = {}, signer = "operator") {
  const read = (file: string) => readFile(join(world.directory, signer, file));
  const chain = [new X509Certificate(await read("cert.pem"))];
  const override = overrideAt(Date.now(), { namespace: namespaceOf(), target: "echo", id: "one", ...changes });
  await bucket.put(
    `${override.namespace}.${override.id}`,
    signOverride(override, chain, createPrivateKey(await read("key.pem"))),
  );
}
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
const withinASecond = { timeout: 1_000, interval: 10 };
const fault = (value: object) => ({ case: "fault", value: { percentage: 100, method: "", ...value } }) as never;

test("a way is chosen while calls go on, within a second, and a withdrawal ends it", async () => {
  const { mesh } = await startCaller();
  await put();
  await expect.poll(() => mesh.edge("echo").transport, withinASecond).toBe("grpc");
  await put({ effect: { case: "withdrawal", value: {} } });
  await expect.poll(() => mesh.edge("echo").transport, withinASecond).toBe("auto");
});

test("who starts later obeys what holds, and one that was away hears of it when it is back", async () => {
  await put({ id: "early" });
  const { mesh } = await startCaller();
  await expect.poll(() => mesh.edge("echo").transport).toBe("grpc");
  await nats.stop();
  await nats.start();
  await expect
    .poll(() =>
      put({ effect: { case: "transport", value: 2 } }).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await expect.poll(() => mesh.edge("echo").transport).toBe("tunnel");
}, 40_000);

test("an override that is not the operator's is ignored, and the process says so", async () => {
  const { mesh } = await startCaller();
  await put({}, "caller");
  await expect
    .poll(() => mesh.overrides(), withinASecond)
    .toMatchObject([{ ignoredBecause: expect.stringContaining("it is signed by spiffe://test.local/caller") }]);
  expect(mesh.edge("echo").transport).toBe("auto");
  expect(world.logs).toContainEqual(
    expect.objectContaining({ level: "warn", message: "a runtime override is ignored" }),
  );
});

test("an injected failure reaches the callers and methods that it names, streams too, and no server", async () => {
  let calls = 0;
  const echo = () => {
    calls += 1;
    return { text: "" };
  };
  const { address } = await world.serve("echo", echoRoutes({ echo }));
  const hit = await startCaller({ faultsAllowed: true });
  const spared = await startCaller({ faultsAllowed: true, service: "other" });
  hit.register(address, "v1");
  await put({
    caller: "caller",
    effect: fault({ method: "weft.echo.v1.EchoService/Echo", kind: { case: "abortCode", value: 9 } }),
  });
  await expect.poll(() => codeOf(hit.echo.echo({})), withinASecond).toBe(Code.FailedPrecondition);
  const before = calls;
  expect((await failure(hit.echo.echo({}))).rawMessage).toBe("this failure was injected by an operator");
  expect(calls).toBe(before);
  expect([await codeOf(hit.echo.echoAgain({})), await codeOf(spared.echo.echo({}))]).toEqual([undefined, undefined]);
  await put({
    id: "two",
    effect: fault({ method: "weft.echo.v1.EchoService/Repeat", kind: { case: "abortCode", value: 9 } }),
  });
  const stream = () => collect(hit.echo.repeat({ text: "x", count: 1 }));
  await expect.poll(() => codeOf(stream()), withinASecond).toBe(Code.FailedPrecondition);
});

test("a delay is added, a blackhole answers nothing before the deadline", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const { mesh, echo, register } = await startCaller({ faultsAllowed: true });
  register(address, "v1");
  expect((await echo.echo({ text: "x" })).text).toBe("x");
  await put({ effect: fault({ kind: { case: "delay", value: { nanos: 200_000_000 } } }) });
  await expect.poll(() => mesh.edge("echo").faults, withinASecond).toBeDefined();
  let startedMs = performance.now();
  expect((await echo.echo({ text: "x" })).text).toBe("x");
  expect(performance.now() - startedMs).toBeGreaterThan(190);
  expect(await codeOf(echo.echo({}, { timeoutMs: 50 }))).toBe(Code.DeadlineExceeded);
  await put({ effect: fault({ kind: { case: "blackhole", value: {} } }) });
  await expect.poll(() => mesh.edge("echo").faults?.[0]?.kind.case, withinASecond).toBe("blackhole");
  startedMs = performance.now();
  expect(await codeOf(echo.echo({}, { timeoutMs: 100 }))).toBe(Code.DeadlineExceeded);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  const stream = collect(echo.repeat({ text: "x", count: 1 }, { timeoutMs: 100 }));
  expect(await codeOf(stream)).toBe(Code.DeadlineExceeded);
});

test("part of the calls fail where a part is named", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const { mesh, echo, register } = await startCaller({ faultsAllowed: true });
  register(address, "v1");
  await put({ effect: fault({ percentage: 30, kind: { case: "abortCode", value: 9 } }) });
  await expect.poll(() => mesh.edge("echo").faults, withinASecond).toBeDefined();
  const codes = await Promise.all(Array.from({ length: 500 }, () => codeOf(echo.echo({}))));
  const failed = codes.filter((code) => code === Code.FailedPrecondition).length;
  expect(failed).toBeGreaterThan(90);
  expect(failed).toBeLessThan(220);
  expect(codes.every((code) => code === undefined || code === Code.FailedPrecondition)).toBe(true);
});

test("a process that was not started to have faults has none", async () => {
  const { mesh } = await startCaller();
  await put({ effect: fault({ kind: { case: "blackhole", value: {} } }) });
  await expect
    .poll(() => mesh.overrides(), withinASecond)
    .toMatchObject([{ ignoredBecause: "this process was not started with WEFT_FAULTS_ALLOWED=true" }]);
  expect(mesh.edge("echo").faults).toBeUndefined();
});

test("a split sends its part of the calls to a version, within a second, and none of it once it ends", async () => {
  const { echo, mesh, register } = await startCaller();
  for (const version of ["v1", "v2"]) {
    const { address } = await world.serve("echo", echoRoutes({ echo: () => ({ text: version }) }));
    register(address, version);
  }
  const partOfV2 = async () => {
    const answers = await Promise.all(Array.from({ length: 400 }, () => echo.echo({})));
    return answers.filter(({ text }) => text === "v2").length / answers.length;
  };
  await expect.poll(partOfV2).toBeGreaterThan(0.2);
  const split = (v2: number) => ({ case: "split", value: { percentages: { v2 } } }) as const;
  await put({ effect: split(10) });
  await expect.poll(() => mesh.edge("echo").split.size, withinASecond).toBe(1);
  const part = await partOfV2();
  expect(part).toBeGreaterThan(0.03);
  expect(part).toBeLessThan(0.2);
  await put({ effect: split(0) });
  await expect.poll(partOfV2, withinASecond).toBe(0);
  await put({ effect: split(100), expiresAt: timestampFromMs(Date.now() + 1_000) });
  await expect.poll(partOfV2, withinASecond).toBe(1);
  await expect.poll(() => mesh.edge("echo").split.size, { timeout: 3_000 }).toBe(0);
  expect(await partOfV2()).toBeLessThan(1);
});
