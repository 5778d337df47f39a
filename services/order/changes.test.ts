import { currentCall, runAs } from "@weft/mesh/context";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createOrderChanges } from "./changes.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function board(options: { subscribersMax?: number; watchersMax?: number } = {}) {
  const versions = new Map<string, number>();
  const polled: (readonly string[])[] = [];
  const errors: unknown[] = [];
  let failing = false;
  const changes = createOrderChanges({
    pollIntervalMs: 400,
    readVersions: async (orderIds) => {
      polled.push(orderIds);
      if (failing) throw new Error("away");
      return versions;
    },
    onPollError: (error) => errors.push(error),
    ...options,
  });
  const fail = (yes: boolean) => {
    failing = yes;
  };
  return { changes, versions, polled, errors, fail };
}

test("a change made here wakes who waits for it at once", async () => {
  const { changes, polled } = board();
  using subscription = changes.subscribe("ord_1", "placing");
  const changed = subscription.changedSince(1, {});
  changes.notify("ord_2", 9);
  changes.notify("ord_1", 1);
  changes.notify("ord_1", 2);
  expect(await changed).toBe(true);
  expect(polled).toEqual([]);
});

test("a change between reading and waiting is not missed", async () => {
  const { changes } = board();
  using subscription = changes.subscribe("ord_1", "placing");
  changes.notify("ord_1", 2);
  expect(await subscription.changedSince(1, {})).toBe(true);
});

test("a change made by another instance is found by polling, one query for all, also after the database was away", async () => {
  const { changes, versions, polled, errors, fail } = board();
  using first = changes.subscribe("ord_1", "placing");
  using second = changes.subscribe("ord_2", "watching");
  const changed = Promise.all([first.changedSince(1, {}), second.changedSince(1, {})]);
  fail(true);
  await vi.advanceTimersByTimeAsync(401);
  fail(false);
  versions.set("ord_1", 2).set("ord_2", 3);
  await vi.advanceTimersByTimeAsync(401);
  expect(await changed).toEqual([true, true]);
  expect(polled).toEqual([
    ["ord_1", "ord_2"],
    ["ord_1", "ord_2"],
  ]);
  expect(errors).toHaveLength(1);
});

test("nobody listening, nothing polled", async () => {
  const { changes, polled } = board();
  changes.subscribe("ord_1", "watching")[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(polled).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("waiting ends with the time limit or with the caller", async () => {
  const { changes } = board();
  using subscription = changes.subscribe("ord_1", "watching");
  const late = subscription.changedSince(1, { timeoutMs: 100 });
  await vi.advanceTimersByTimeAsync(100);
  expect(await late).toBe(false);
  const caller = new AbortController();
  const left = subscription.changedSince(1, { signal: caller.signal });
  caller.abort(new Error("the caller left"));
  await expect(left).rejects.toThrow("the caller left");
  await expect(subscription.changedSince(1, { signal: caller.signal })).rejects.toThrow("the caller left");
});

test("watchers are bounded, and leave room for orders being placed", () => {
  const { changes } = board({ watchersMax: 2, subscribersMax: 3 });
  const watching = [changes.subscribe("ord_1", "watching"), changes.subscribe("ord_1", "watching")];
  expect(() => changes.subscribe("ord_2", "watching")).toThrow(/watchersMax/);
  using _placing = changes.subscribe("ord_3", "placing");
  expect(() => changes.subscribe("ord_4", "placing")).toThrow(/subscribersMax/);
  expect(changes.counts()).toEqual({ placing: 1, watching: 2 });
  for (const subscription of watching) subscription[Symbol.dispose]();
  using _again = changes.subscribe("ord_2", "watching");
});

test("polls once an interval, also when all listeners left and others came while it was reading", async () => {
  const read = Promise.withResolvers<ReadonlyMap<string, number>>();
  const readVersions = vi
    .fn(async (): Promise<ReadonlyMap<string, number>> => new Map())
    .mockReturnValueOnce(read.promise);
  const changes = createOrderChanges({ pollIntervalMs: 400, readVersions, onPollError: () => {} });
  const first = changes.subscribe("ord_1", "placing");
  await vi.advanceTimersByTimeAsync(400);
  first[Symbol.dispose]();
  using _second = changes.subscribe("ord_2", "placing");
  read.resolve(new Map());
  await vi.advanceTimersByTimeAsync(4_000);
  expect(readVersions).toHaveBeenCalledTimes(11);
});

test("polls for all: not as a part of the call that began to listen first, nor only while that one lasts", async () => {
  // Faked timers do not run in the context that set them.
  vi.useRealTimers();
  const caller = new AbortController();
  const calls: unknown[] = [];
  const readVersions = async () => {
    calls.push(currentCall());
    return new Map([["ord_1", 2]]);
  };
  const changes = createOrderChanges({ pollIntervalMs: 5, readVersions, onPollError: () => {} });
  using _first = runAs({ signal: caller.signal }, () => changes.subscribe("ord_2", "watching"));
  using second = changes.subscribe("ord_1", "watching");
  caller.abort();
  expect(await second.changedSince(1, {})).toBe(true);
  expect(calls).toEqual([undefined]);
});
