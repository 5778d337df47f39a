import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { identify, isAlive } from "../processes/identity.ts";
import { freePort, isPortFree } from "../processes/ports.ts";
import { listeners, portsFromBase } from "../stack/ports.ts";
// For the types that the global setup provides.
import type {} from "../testing/global-setup.ts";
import { bringDown, bringUp } from "./bring-up.ts";
import type { StackReport } from "./control.ts";
import type { StackSettings } from "./settings.ts";
import { stateFiles } from "./state.ts";

// One stack for all of these, in the order in which a person would come upon them: a stack takes seconds to start.
const UP_TIMEOUT_MS = 90_000;

let directory: string;
let settings: Partial<StackSettings>;
const said: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(inject("weftTestDirectory"), "up-"));
  settings = { portBase: await freeBase(), edgePort: await freePort(), topology: "single", history: false };
});
afterAll(async () => {
  await bringDown(directory, () => undefined);
});

const up = (asked: Partial<StackSettings> = {}, where = directory) => {
  said.length = 0;
  return bringUp({ directory: where, settings: asked, say: (line) => said.push(line) });
};

test("up starts everything, and a second up nothing", { timeout: UP_TIMEOUT_MS }, async () => {
  const first = await up(settings);
  expect(first.started).toEqual(first.members.map((member) => member.name));
  expect(first.started).toContain("single");
  const second = await up();
  expect(second.started).toEqual([]);
  expect(pids(second)).toEqual(pids(first));
});

test("up starts again what died and replaces what hangs, and leaves the rest alone", {
  timeout: UP_TIMEOUT_MS,
}, async () => {
  const before = await up();
  process.kill(pidOf(before, "payment-provider"), "SIGKILL");
  process.kill(pidOf(before, "redis"), "SIGSTOP");
  await expect.poll(async () => identify(pidOf(before, "payment-provider"))).toBeUndefined();
  const after = await up();
  expect(after.started.toSorted()).toEqual(["payment-provider", "redis"]);
  expect(pidOf(after, "single")).toBe(pidOf(before, "single"));
});

test("a killed supervisor takes everything with it, and up repairs that with the same settings", {
  timeout: UP_TIMEOUT_MS,
}, async () => {
  const before = await up();
  const supervisor = await supervisorOf(directory);
  process.kill(supervisor.pid, "SIGKILL");
  await expect.poll(() => isAlive(supervisor)).toBe(false);
  const after = await up();
  expect(said[0]).toMatch(/is gone without having stopped/);
  expect(after.started).toHaveLength(before.members.length);
  expect(after.addresses).toEqual(before.addresses);
});

test("another clone on the same ports is refused before it starts anything", { timeout: UP_TIMEOUT_MS }, async () => {
  const other = await mkdtemp(join(tmpdir(), "weft-other-"));
  await expect(up(settings, other)).rejects.toThrow(/is in use by .*\n(.*\n)*.*WEFT_PORT_BASE=/);
  expect(await stateFiles(other).readSupervisor()).toBeUndefined();
  await rm(other, { recursive: true });
});

test("down ends every process, frees every port and leaves the data", { timeout: UP_TIMEOUT_MS }, async () => {
  const report = await up();
  const running = [await supervisorOf(directory), ...pids(report).flatMap((pid) => identify(pid ?? 0) ?? [])];
  expect(await bringDown(directory, () => undefined)).toBe(true);
  expect(running.filter(isAlive)).toEqual([]);
  const ports = listeners(portsFromBase(settings.portBase ?? 0, settings.edgePort ?? 0));
  expect(await Promise.all(ports.map(({ port }) => isPortFree(port)))).not.toContain(false);
  await access(join(directory, "engines", "mariadb", "data"));
  expect(await bringDown(directory, () => undefined)).toBe(false);
});

function pids(report: StackReport): (number | undefined)[] {
  return report.members.map((member) => member.pid);
}

function pidOf(report: StackReport, name: string): number {
  const pid = report.members.find((member) => member.name === name)?.pid;
  if (pid === undefined) throw new Error(`${name} does not run`);
  return pid;
}

async function supervisorOf(folder: string) {
  const state = await stateFiles(folder).readSupervisor();
  if (state === undefined) throw new Error("no supervisor");
  return state.process;
}

/** A base of which no port is used now. */
async function freeBase(): Promise<number> {
  for (;;) {
    const base = await freePort();
    const free = await Promise.all(listeners(portsFromBase(base, base)).map(({ port }) => isPortFree(port)));
    if (free.every(Boolean)) return base;
  }
}
