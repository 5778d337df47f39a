import { describe, expect, test } from "vitest";
import { CancelSource } from "./cancel-source.ts";
import { cancellable, cancelled } from "./cancellable.ts";

const reason = new Error("left");
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const never = new Promise<never>(() => undefined);

describe("cancelled()", () => {
  test("settles as the work does", async () => {
    expect(await cancelled(new CancelSource(), Promise.resolve(1))).toBe(1);
    await expect(cancelled(new CancelSource(), Promise.reject(reason))).rejects.toBe(reason);
  });

  test("does not wait for work whose caller has left", async () => {
    const cancel = new CancelSource();
    const outcome = cancelled(cancel, never);
    cancel.cancel(reason);
    await expect(outcome).rejects.toBe(reason);
    await expect(cancelled(cancel, never)).rejects.toBe(reason);
  });
});

/** Numbers without end, and a promise of the moment when they are left. */
function numbers() {
  const left = Promise.withResolvers<void>();
  async function* count() {
    try {
      for (let n = 1; ; n++) yield n;
    } finally {
      left.resolve();
    }
  }
  return { items: count(), left: left.promise };
}

describe("cancellable()", () => {
  test("passes items, end and error through while nobody cancels", async () => {
    async function* three() {
      yield* [1, 2, 3];
    }
    async function* failing() {
      yield 1;
      throw reason;
    }
    expect(await collect(cancellable(three(), new CancelSource()))).toEqual([1, 2, 3]);
    await expect(collect(cancellable(failing(), new CancelSource()))).rejects.toBe(reason);
  });

  test("fails a step that waits, and leaves the iterable", async () => {
    const cancel = new CancelSource();
    let left = false;
    const waiting: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => never,
        async return() {
          left = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const step = cancellable(waiting, cancel)[Symbol.asyncIterator]().next();
    cancel.cancel(reason);
    await expect(step).rejects.toBe(reason);
    expect(left).toBe(true);
  });

  test("leaves an iterable between two steps, and fails the next", async () => {
    const cancel = new CancelSource();
    const { items, left } = numbers();
    const iterator = cancellable(items, cancel)[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    cancel.cancel(reason);
    await left;
    await expect(iterator.next()).rejects.toBe(reason);
  });

  test("leaves an iterable that its reader leaves", async () => {
    const { items, left } = numbers();
    for await (const _ of cancellable(items, new CancelSource())) break;
    await left;
  });
});
