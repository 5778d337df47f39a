import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createBatchReader } from "./batch-reader.ts";

/** A reader of numbers by their name, and the calls that it made. */
function setUp(options: { keysMax?: number; waitingMax?: number } = {}) {
  const calls: (readonly string[])[] = [];
  const find = createBatchReader({
    read: async (keys) => {
      calls.push(keys);
      if (keys.includes("broken")) throw new Error("broken");
      return new Map(keys.filter((key) => key !== "none").map((key) => [key, key.length]));
    },
    ...options,
  });
  return { find, calls };
}

test("what is asked for together is read in one call, each thing once", async () => {
  const { find, calls } = setUp();
  expect(await Promise.all(["a", "bb", "none", "a"].map(find))).toEqual([1, 2, undefined, 1]);
  expect(calls).toEqual([["a", "bb", "none"]]);
  await find("a");
  expect(calls).toHaveLength(2);
});

test("a call reads no more than it may", async () => {
  const { find, calls } = setUp({ keysMax: 2 });
  await Promise.all(["a", "b", "c", "d", "e"].map(find));
  expect(calls).toEqual([["a", "b"], ["c", "d"], ["e"]]);
});

test("a failed read is everybody's who waited for it, and nobody's after", async () => {
  const { find } = setUp();
  await expect(Promise.all([find("a"), find("broken")])).rejects.toThrow("broken");
  expect(await find("a")).toBe(1);
});

test("too many at once are refused", async () => {
  const held = Promise.withResolvers<Map<string, number>>();
  const find = createBatchReader({ read: () => held.promise, waitingMax: 2, keysMax: 2 });
  const first = [find("a"), find("b")];
  await expect(find("c")).rejects.toMatchObject({ code: Code.ResourceExhausted });
  held.resolve(new Map([["a", 1]]));
  expect(await Promise.all(first)).toEqual([1, undefined]);
  expect(await find("a")).toBe(1);
});
