import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { run } from "../cli.ts";

test("weft try shows live numbers, and what a frozen and a killed replica are to callers", {
  timeout: 60_000,
}, async () => {
  let shown = "";
  const seen = async (pattern: RegExp): Promise<void> => {
    await expect.poll(() => shown, { timeout: 20_000 }).toMatch(pattern);
  };
  async function* keys() {
    await seen(/echo-1 up [1-9]\d*, echo-2 up [1-9]\d*, echo-3 up [1-9]/);
    yield "2f";
    await seen(/echo-2 frozen 0,/);
    yield "f3k";
    await seen(/echo-3 down 0\)/);
    yield "1s";
    await seen(/echo-1 slow/);
    yield "wq";
    await wait(10);
  }
  const exitCode = await run(["try", "--rate", "100", "--for", "1m"], {
    stdin: keys(),
    stdout: (text) => {
      shown += text;
    },
    stderr: (text) => {
      shown += text;
    },
    workingDirectory: process.cwd(),
  });
  expect(exitCode, shown).toBe(0);
  // None that may run twice.
  expect(shown).toMatch(/failed so far 0 \+ \d+\n$/);
});
