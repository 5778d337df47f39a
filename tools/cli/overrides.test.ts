import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createMesh, type Mesh } from "../../mesh/client/mesh.ts";
import { openDiscovery } from "../../mesh/discovery-nats/open-discovery.ts";
import { echoRoutes } from "../../mesh/testing/echo.ts";
import { createWorld, type World } from "../../mesh/testing/world.ts";
import { startNats, type TestEngine } from "../dev/testing/engines.ts";
import { run } from "./cli.ts";
import { exitCodes } from "./failure.ts";

let nats: TestEngine;
let world: World;
let directory: string;
let mesh: Mesh;
let namespace: string;
let count = 0;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats?.[Symbol.asyncDispose]());

beforeEach(async () => {
  world = await createWorld();
  await world.credentials("operator");
  namespace = `test${++count}`;
  const telemetry = world.telemetry("edge");
  const discovery = openDiscovery({ source: "nats", namespace, url: nats.url }, { service: "edge", telemetry });
  world.defer(async () => await discovery[Symbol.asyncDispose]());
  const credentials = await world.credentials("edge");
  mesh = createMesh({ service: "edge", credentials, telemetry, discovery, faultsAllowed: true });
  world.defer(() => mesh[Symbol.dispose]());
  const { address } = await world.serve("plain", echoRoutes());
  directory = await mkdtemp(join(tmpdir(), "weft-cli-"));
  world.defer(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, ".weft"));
  const services = { plain: { grpc: address, health: "127.0.0.1:1", metrics: "127.0.0.1:1" } };
  const book = { services, certs: world.directory, namespace, engines: { nats: nats.url } };
  await writeFile(join(directory, ".weft/stack.json"), JSON.stringify(book));
});
afterEach(() => world[Symbol.asyncDispose]());

async function weft(...args: string[]) {
  const output = { stdout: "", stderr: "" };
  const exitCode = await run(args, {
    stdin: (async function* () {})(),
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
    workingDirectory: directory,
    user: "ada",
  });
  return { exitCode, ...output };
}
const edge = () => mesh.edge("catalog");
const withinASecond = { timeout: 1_000, interval: 10 };
const because = ["--for", "30m", "--reason", "a test"];

test("weft split is in force within a second, and ends", async () => {
  const { exitCode, stdout } = await weft("split", "catalog", "v2=10", ...because);
  expect(exitCode).toBe(exitCodes.ok);
  expect(stdout).toMatch(
    /^split\.catalog\.any: split v2=10%, until 20.*`weft policy end split\.catalog\.any` ends it\n$/,
  );
  await expect.poll(() => edge().split, withinASecond).toEqual(new Map([["v2", 10]]));
  expect((await weft("split", "catalog", "--end", "--reason", "done")).stdout).toBe("split.catalog.any: withdrawn\n");
  await expect.poll(() => edge().split.size, withinASecond).toBe(0);
  expect((await weft("policy", "list")).stdout).toBe("nothing is overridden\n");
  expect((await weft("policy", "list", "--all")).stdout).toContain("withdrawn");
});

test("weft policy transport, list and end; what is meant for others is no business of this process", async () => {
  await weft("policy", "transport", "catalog", "grpc", ...because);
  await weft("policy", "transport", "catalog", "tunnel", "--from", "order", ...because);
  await expect.poll(() => edge().transport, withinASecond).toBe("grpc");
  const { stdout } = await weft("policy", "list");
  expect(stdout).toMatch(/^ID +EFFECT +FROM +TO +UNTIL +AUTHOR +REASON +OBEYED\n/);
  expect(stdout).toMatch(/^transport\.catalog\.any +transport grpc +any +catalog +20\S+ +ada +a test +yes$/m);
  expect(stdout).toMatch(/^transport\.catalog\.order +transport tunnel +order +catalog /m);
  await weft("policy", "end", "transport.catalog.any", "--reason", "done");
  await expect.poll(() => edge().transport, withinASecond).toBe("auto");
});

test("weft fault makes calls go wrong, and ends all of an edge", async () => {
  await weft("fault", "catalog", "--delay", "1500ms", "--percent", "20", ...because);
  await weft("fault", "catalog", "--abort", "unavailable", "--method", "a.B/C", ...because);
  await expect
    .poll(() => edge().faults, withinASecond)
    .toEqual([
      { method: undefined, percentage: 20, kind: { case: "delay", delayMs: 1_500 } },
      { method: "a.B/C", percentage: 100, kind: { case: "abort", code: 14 } },
    ]);
  const { stdout } = await weft("fault", "catalog", "--end", "--reason", "done");
  expect(stdout.split("\n").filter((line) => line.endsWith(": withdrawn"))).toHaveLength(2);
  await expect.poll(() => edge().faults, withinASecond).toBeUndefined();
});

test("weft policy show asks the services themselves", async () => {
  expect((await weft("policy", "show")).stdout).toBe("no service obeys an override\n");
});

test.each([
  [["split", "catalog", "v2=10", "--reason", "x"], "it needs an end"],
  [["split", "catalog", "v2=10", "--for", "8d", "--reason", "x"], "more than 7 days"],
  [["split", "catalog", "v2=90", "v3=20", ...because], "splits 110 percent"],
  [["split", "catalog", ...because], "between no versions"],
  [["split", "catalog", "v2", ...because], "is not a version and its percentage"],
  [["fault", "catalog", ...because], "one thing that goes wrong"],
  [["fault", "catalog", "--blackhole", "--delay", "1s", ...because], "one thing that goes wrong"],
  [["fault", "catalog", "--abort", "OK", ...because], "Write a gRPC code"],
  [["policy", "end", "nothing", "--reason", "x"], "nothing of the kind holds"],
  [["policy", "transport", "catalog", "pigeon", ...because], "pigeon"],
])("weft %j is wrong usage, and says why", async (args, message) => {
  const { exitCode, stderr } = await weft(...args);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(exitCodes.usage);
});

test("with a service's certificate nobody would obey, and it says so", async () => {
  const { exitCode, stderr } = await weft(
    "policy",
    "transport",
    "catalog",
    "grpc",
    "--certs",
    join(world.directory, "edge"),
    ...because,
  );
  expect([exitCode, stderr]).toEqual([exitCodes.usage, expect.stringContaining("signed by spiffe://test.local/edge")]);
});

test("without NATS it says who is away", async () => {
  const { exitCode, stderr } = await weft("policy", "list", "--nats", "nats://127.0.0.1:1");
  expect([exitCode, stderr]).toEqual([
    exitCodes.unreachable,
    expect.stringContaining("no NATS answers at nats://127.0.0.1:1"),
  ]);
});
