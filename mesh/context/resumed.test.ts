import { expect, test } from "vitest";
import { resumed } from "./resumed.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* three(onLeft: () => void = () => undefined) {
  try {
    yield* [1, 2, 3];
  } finally {
    onLeft();
  }
}

test("begins with the step that is taken and goes on with the rest", async () => {
  const items = three();
  expect(await collect(resumed(await items.next(), items))).toEqual([1, 2, 3]);
});

test("of an empty iterable is empty, of a failed step fails", async () => {
  const items = three();
  expect(await collect(resumed({ done: true, value: undefined }, items))).toEqual([]);
  const failed = Promise.reject(new Error("no first"));
  await expect(collect(resumed<number>(failed, three()))).rejects.toThrow("no first");
});

test("leaves the rest when its reader leaves", async () => {
  let left = false;
  const items = three(() => {
    left = true;
  });
  for await (const _ of resumed(await items.next(), items)) break;
  expect(left).toBe(true);
});
