import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild, tailOf } from "./child.ts";
import { identify, isAlive } from "./identity.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-child-"));
});
afterEach(() => rm(directory, { recursive: true }));

const node = (name: string, script: string) =>
  startChild({
    name,
    command: process.execPath,
    args: ["--input-type=module", "--eval", script],
    env: { PATH: process.env.PATH },
    logFile: join(directory, `${name}.log`),
  });

const FOREVER = "setInterval(() => {}, 1000); console.log('ready');";
const ready = (name: string) =>
  expect.poll(() => readFile(join(directory, `${name}.log`), "utf8").catch(() => "")).toContain("ready");

test("a child dies with its parent, even by SIGKILL", async () => {
  const childModule = new URL("./child.ts", import.meta.url).href;
  const parent = await node(
    "parent",
    `import { startChild } from ${JSON.stringify(childModule)};
     const child = await startChild({ name: "child", command: process.execPath, args: ["-e", ${JSON.stringify(FOREVER)}],
       env: {}, logFile: ${JSON.stringify(join(directory, "child.log"))} });
     console.log("child", child.pid); setInterval(() => {}, 1000);`,
  );
  await ready("child");
  const pid = Number(/child (\d+)/.exec(await readFile(parent.logFile, "utf8"))?.[1]);
  const child = identify(pid);
  if (child === undefined) throw new Error("the child is not there");
  parent.kill("SIGKILL");
  expect(await parent.exited).toEqual({ code: null, signal: "SIGKILL" });
  await expect.poll(() => isAlive(child)).toBe(false);
});

test("stop() ends a child that ignores SIGTERM, and one that is stopped by a signal", async () => {
  const deaf = await node("deaf", `process.on("SIGTERM", () => {}); ${FOREVER}`);
  const frozen = await node("frozen", FOREVER);
  await ready("deaf");
  frozen.kill("SIGSTOP");
  await Promise.all([deaf.stop(50), frozen.stop(5_000)]);
  expect([deaf.exit()?.signal, frozen.exit()?.signal]).toEqual(["SIGKILL", "SIGTERM"]);
});

test("tailOf() gives the last lines of what a child wrote", async () => {
  const child = await node("short", "console.log('one'); console.error('two'); console.log('three');");
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(await tailOf(child.logFile, 2)).toBe("two\nthree");
  expect(await tailOf(join(directory, "none.log"))).toBe("");
});
