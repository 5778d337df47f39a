import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { createWorld } from "../testing/world.ts";
import { loadCredentials } from "./credentials.ts";

/** While set, what is read is handed over when it resolves: the disk of a bad day. */
let slowDisk: Promise<void> | undefined;
let held = 0;
vi.mock(import("node:fs/promises"), async (original) => {
  const real = await original();
  const readFile = async (...input: Parameters<typeof real.readFile>) => {
    const until = slowDisk;
    const bytes = await real.readFile(...input);
    if (until) held += 1;
    await until;
    return bytes;
  };
  return { ...real, readFile: readFile as typeof real.readFile };
});

test("of two reloads at a time, the one that has read the older files does not come last", async () => {
  await using world = await createWorld();
  await world.credentials("echo");
  const directory = join(world.directory, "echo");
  const info = vi.fn();
  const logger = { debug: vi.fn(), info, warn: vi.fn(), error: vi.fn() };
  await using credentials = await loadCredentials({ directory, trustDomain: "test.local", logger });
  await world.reissue("echo");
  const disk = Promise.withResolvers<void>();
  slowDisk = disk.promise;
  const slow = credentials.reload();
  await expect.poll(() => held).toBe(3);
  slowDisk = undefined;
  await world.reissue("echo");
  const fast = credentials.reload();
  // Time enough for the second to overtake the first, if it could.
  for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
  disk.resolve();
  await Promise.all([slow, fast]);
  // Finds nothing to replace if what is in use is what is on the disk.
  const before = info.mock.calls.length;
  await credentials.reload();
  expect(info).toHaveBeenCalledTimes(before);
});
