import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "./lock.ts";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-lock-"));
  file = join(directory, "lock");
});
afterEach(() => rm(directory, { recursive: true }));

test("withLock() lets one in at a time", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await stat(file);
    inside--;
  };
  await Promise.all(Array.from({ length: 4 }, () => withLock(file, { timeoutMs: 10_000 }, work)));
  expect(most).toBe(1);
});

test("withLock() takes over the lock of a dead process", async () => {
  await writeFile(file, JSON.stringify({ pid: process.pid, began: "in another life" }));
  expect(await withLock(file, { timeoutMs: 5_000 }, async () => "done")).toBe("done");
});

test("withLock() gives the lock back after a failure", async () => {
  const failing = withLock(file, { timeoutMs: 1_000 }, () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(await withLock(file, { timeoutMs: 1_000 }, async () => "done")).toBe("done");
});
