import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../dev/processes/ports.ts";
import { createTestMesh, type TestMesh } from "../dev/testing/mesh.ts";
import type { KillPoint } from "./launcher/kill-points.ts";

const launcher = fileURLToPath(new URL("./service.ts", import.meta.url));
const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let directory: string;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["catalog"]));
  directory = await mkdtemp(join(tmpdir(), "weft-faults-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
});
afterAll(() => resources.disposeAsync());

interface Launched extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly hitsFile: string;
  /** Its output so far. */
  output(): string;
  arm(point: Partial<KillPoint>): Promise<Response>;
}

async function launch(...args: string[]): Promise<Launched> {
  const [port, hitsFile] = [await freePort(), join(directory, "hits.jsonl")];
  const faults = { FAULTS_CONTROL_PORT: String(port), FAULTS_HITS_FILE: hitsFile };
  const env = { ...process.env, ...mesh.env("catalog"), LOG_LEVEL: "info", ...faults };
  const child = spawn(process.execPath, [launcher, "catalog", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk;
    });
  }
  const exited = once(child, "exit");
  return {
    child,
    hitsFile,
    output: () => output,
    arm: (point) => fetch(`http://127.0.0.1:${port}/arm`, { method: "POST", body: JSON.stringify(point) }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test("a service dies at exactly the place that was asked for, and has said so", async () => {
  await using service = await launch();
  const exited = once(service.child, "exit");
  await expect.poll(service.output, { timeout: 20_000 }).toContain('"serving"');
  const refused = await service.arm({ when: "before", statement: "outbox.claim.commit", nth: 0, action: "kill" });
  expect([refused.status, service.child.exitCode]).toEqual([400, null]);
  await service.arm({ when: "before", statement: "outbox.claim.commit", nth: 1, action: "kill" });
  expect(await exited).toEqual([null, "SIGKILL"]);
  const hits = readFileSync(service.hitsFile, "utf8").trimEnd().split("\n");
  expect(hits.map((line) => JSON.parse(line))).toMatchObject([
    { service: "catalog", pid: service.child.pid, when: "before", at: "outbox.claim.commit", action: "kill" },
  ]);
}, 30_000);

test("a mutation that is unknown ends it, and names those that there are", async () => {
  await using service = await launch("--mutation", "nothing-off");
  expect(await once(service.child, "exit")).toEqual([1, null]);
  expect(service.output()).toContain('no mutation "nothing-off": inbox-off');
}, 30_000);
