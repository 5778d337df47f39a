import { expect, test } from "vitest";
import { createLru } from "./lru.ts";

const keys = ["a", "b", "c", "d"];
const held = (lru: { get(key: string): number | undefined }) => keys.filter((key) => lru.get(key) !== undefined);

test("drops what was longest not asked for, not what came first", () => {
  const lru = createLru<number>({ entriesMax: 3, bytesMax: 1_000 });
  for (const [index, key] of ["a", "b", "c"].entries()) lru.set(key, index, 1);
  lru.get("a");
  lru.set("d", 3, 1);
  expect(held(lru)).toEqual(["a", "c", "d"]);
});

test("holds no more than bytesMax, however few entries that are", () => {
  const lru = createLru<number>({ entriesMax: 100, bytesMax: 100 });
  for (const key of ["a", "b", "c"]) lru.set(key, 1, 40);
  expect([held(lru), lru.bytes()]).toEqual([["b", "c"], 80]);
  lru.set("d", 1, 100);
  expect([held(lru), lru.bytes()]).toEqual([["d"], 100]);
});

test("an entry that is larger than all may be is not held, nor is what it was to replace", () => {
  const lru = createLru<number>({ entriesMax: 100, bytesMax: 100 });
  for (const key of ["a", "b"]) lru.set(key, 1, 10);
  lru.set("a", 2, 101);
  expect([held(lru), lru.bytes(), lru.size()]).toEqual([["b"], 10, 1]);
});

test("what is replaced, deleted and cleared no longer counts", () => {
  const lru = createLru<number>({ entriesMax: 100, bytesMax: 100 });
  lru.set("a", 1, 60);
  lru.set("a", 2, 30);
  lru.set("b", 1, 30);
  expect(lru.bytes()).toBe(60);
  lru.delete("b");
  lru.delete("b");
  expect(lru.bytes()).toBe(30);
  lru.clear();
  expect([lru.bytes(), lru.size()]).toEqual([0, 0]);
});
