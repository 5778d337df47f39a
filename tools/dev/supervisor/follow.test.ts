import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { followLogs } from "./follow.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-logs-"));
});
afterEach(() => rm(directory, { recursive: true }));

const file = (name: string) => join(directory, `${name}.log`);
const follow = (names: string[] = [], tailBytes = 100) => followLogs({ directory, names, tailBytes });

test("followLogs() gives whole lines as they come, of files that appear later too", async () => {
  await writeFile(file("order"), "one\ntw");
  const next = follow();
  expect(await next()).toEqual([{ name: "order", text: "one" }]);
  await appendFile(file("order"), "o\n");
  await writeFile(file("user"), "hello\n");
  expect(await next()).toEqual([
    { name: "order", text: "two" },
    { name: "user", text: "hello" },
  ]);
  expect(await next()).toEqual([]);
});

test("followLogs() begins near the end of a long file, at a line", async () => {
  await writeFile(file("order"), "a very long first line\nlast\n");
  expect(await follow([], 10)()).toEqual([{ name: "order", text: "last" }]);
});

test("followLogs() reads a file anew that was replaced", async () => {
  await writeFile(file("order"), "one\ntwo\n");
  const next = follow();
  await next();
  await writeFile(file("order"), "new\n");
  expect(await next()).toEqual([{ name: "order", text: "new" }]);
});

test("followLogs() follows only what is asked for", async () => {
  await writeFile(file("order"), "one\n");
  await writeFile(file("user"), "two\n");
  expect(await follow(["user"])()).toEqual([{ name: "user", text: "two" }]);
});
