import { randomUUID } from "node:crypto";
import { ConnectError } from "@connectrpc/connect";
import { createRedis, type RedisConnection } from "@weft/mesh/cache";
import { errorReason } from "@weft/mesh/contract";
import { createTelemetry } from "@weft/mesh/telemetry";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startRedis, testRedisUrl } from "../../tools/dev/testing/engines.ts";
import type { Score } from "./domain.ts";
import { createLeaderboard } from "./leaderboard.ts";
import type { Leaderboard } from "./usecases.ts";

const telemetry = createTelemetry({ service: "analytics", write: () => {} });
let redis: RedisConnection;
let key: string;
let leaderboard: Leaderboard;
beforeAll(async () => {
  redis = createRedis({ url: await testRedisUrl(), telemetry });
  await vi.waitFor(() => expect(redis.isReady()).toBe(true));
});
afterAll(() => redis?.[Symbol.asyncDispose]());
beforeEach(() => {
  key = `analytics-test:${randomUUID()}`;
  leaderboard = createLeaderboard({ redis, key, newName: randomUUID });
});

const scores = (...pairs: [sku: string, quantity: number][]): Score[] =>
  pairs.map(([sku, quantity]) => ({ sku, quantity }));
const keys = () => redis.run("test.keys", (commands) => commands.keys(`*${key}*`));
async function* pages(...all: Score[][]) {
  yield* all;
}
async function all(pageSize: number): Promise<Score[]> {
  const found: Score[] = [];
  for (;;) {
    const page = (await leaderboard.listTop(found.at(-1), pageSize)) ?? [];
    if (page.length === 0) return found;
    found.push(...page);
  }
}

test("none is something else than an empty one", async () => {
  expect(await leaderboard.listTop(undefined, 5)).toBeUndefined();
  expect(await leaderboard.set(scores(["A", 1]))).toBe(false);
  expect(await leaderboard.replace(pages())).toBe(0);
  expect(await leaderboard.listTop(undefined, 5)).toEqual([]);
  expect(await leaderboard.set(scores(["A", 1]))).toBe(true);
  expect(await leaderboard.listTop(undefined, 5)).toEqual(scores(["A", 1]));
});

test("set() is absolute, and takes out what nobody buys any more", async () => {
  await leaderboard.replace(pages(scores(["A", 5], ["B", 4]), scores(["C", 3], ["D", 0])));
  for (let i = 0; i < 2; i += 1) await leaderboard.set(scores(["A", 1], ["B", 0], ["E", 9]));
  expect(await all(2)).toEqual(scores(["E", 9], ["C", 3], ["A", 1]));
});

test("pages go by score and then by SKU, byte by byte, on from any position, present or not", async () => {
  const sku = fc.string({ unit: fc.constantFrom("a", "B", "_", "-", ".", "9"), minLength: 1, maxLength: 4 });
  const entries = fc.uniqueArray(fc.record({ sku, quantity: fc.integer({ min: 1, max: 4 }) }), {
    selector: (score) => score.sku,
    maxLength: 40,
  });
  const position = fc.record({ sku, quantity: fc.integer({ min: 1, max: 4 }) });
  const property = fc.asyncProperty(entries, position, fc.integer({ min: 1, max: 7 }), async (given, after, size) => {
    await leaderboard.replace(pages(given));
    const sorted = given.toSorted(compare);
    expect(await all(size)).toEqual(sorted);
    const rest = sorted.filter((score) => compare(score, after) > 0);
    expect(await leaderboard.listTop(after, size)).toEqual(rest.slice(0, size));
  });
  await fc.assert(property, { numRuns: 60 });
});

function compare(a: Score, b: Score): number {
  return b.quantity - a.quantity || (a.sku < b.sku ? -1 : Number(a.sku > b.sku));
}

describe("replace()", () => {
  test("gives way to a set() or another replace() that came while it read", async () => {
    await leaderboard.replace(pages(scores(["A", 1])));
    async function* disturbed(change: () => Promise<unknown>) {
      yield scores(["A", 1]);
      await change();
    }
    expect(await leaderboard.replace(disturbed(() => leaderboard.set(scores(["A", 2]))))).toBeUndefined();
    expect(await leaderboard.replace(disturbed(() => leaderboard.replace(pages(scores(["A", 3])))))).toBeUndefined();
    expect(await leaderboard.listTop(undefined, 5)).toEqual(scores(["A", 3]));
    expect(await keys()).toHaveLength(2);
  });

  test("shows no half-made leaderboard, not even when Redis loses it half-way", async () => {
    await leaderboard.replace(pages(scores(["A", 1])));
    async function* lost() {
      yield scores(["B", 1]);
      expect(await leaderboard.listTop(undefined, 5)).toEqual(scores(["A", 1]));
      const names = await keys();
      await redis.run("test.del", (commands) => commands.del(names));
      yield scores(["C", 1]);
    }
    expect(await leaderboard.replace(lost())).toBeUndefined();
    expect(await leaderboard.listTop(undefined, 5)).toBeUndefined();
  });

  test("leaves a leaderboard that does not expire", async () => {
    await leaderboard.replace(pages(scores(["A", 1])));
    expect(await redis.run("test.ttl", (commands) => commands.ttl(`{${key}}`))).toBe(-1);
  });
});

test("Redis away is UNAVAILABLE", async () => {
  await using engine = await startRedis();
  await engine.stop();
  await using away = createRedis({ url: engine.url, telemetry });
  const asked = createLeaderboard({ redis: away, key, newName: randomUUID }).listTop(undefined, 1);
  const failure = await asked.then(() => undefined, ConnectError.from);
  expect(failure && errorReason(failure)).toBe("REDIS_UNAVAILABLE");
});
