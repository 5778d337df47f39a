import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import type { Fact, Score } from "./domain.ts";
import { createPurgeStore, createReports, createScoreStore, insertFacts } from "./store.ts";
import { rollUpStore } from "./sums.ts";
import { copyScores, moveWindow, purge, type RollUpDeps, rollUpFacts } from "./usecases.ts";

const telemetry = createTelemetry({ service: "analytics", write: () => {} });
const now = Date.parse("2026-11-22T12:00:00Z");
const dayMs = 86_400_000;

const clock = { now: () => now, monotonic: () => 0 };
let schema: TestDatabase | undefined;
let database: Database;
let deps: RollUpDeps;

const close = async () => {
  await database?.[Symbol.asyncDispose]();
  await schema?.[Symbol.asyncDispose]();
};
beforeEach(async () => {
  await close();
  schema = await testDatabase("analytics");
  database = createDatabase({ url: schema.url, telemetry });
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "analytics", directory, logger: telemetry.logger });
  deps = { database, sums: rollUpStore, clock };
});
afterAll(close);

let ids = 0;
const fact = (kind: string, aggregateId: string, more: Partial<Fact> = {}): Fact => ({
  ...{ eventId: `event-${ids++}`, kind, aggregateId, occurredAt: new Date(now) },
  ...more,
});
const sale = (orderId: string, sku: string, quantity: number, daysAgo = 0) =>
  fact("OrderConfirmed", orderId, { lines: [[sku, quantity]], occurredAt: new Date(now - daysAgo * dayMs) });
const insert = (facts: readonly Fact[]) => database.transaction("test.insert", (tx) => insertFacts(tx, facts));
const rollUpAll = async () => {
  while (await rollUpFacts(deps));
  while (await moveWindow(deps));
};
const top = (after?: Score, limit = 100) => createScoreStore(database).listTop(after, limit);
const plan = (sql: string, params: (string | number)[]) =>
  database.query<{ key: string; type: string; Extra: string }>("test.explain", `EXPLAIN ${sql}`, params);

test("hundreds of facts are one statement, and all that they say comes back", async () => {
  const amount = { currencyCode: "EUR", minorUnits: 9_007_199_254_740_993n };
  const occurredAt = new Date("2026-11-22T01:02:03.456Z");
  const many = Array.from({ length: 498 }, (_, i) => fact("ProductViewed", `SKU-${i}`));
  await insert([...many, fact("PaymentCaptured", "o1", { amount, occurredAt }), sale("o2", "A", 3)]);
  const stored = await database.transaction("test.read", (tx) => rollUpStore.pendingFacts(tx, 1_000));
  expect(stored).toHaveLength(500);
  expect(stored[498]).toMatchObject({ kind: "PaymentCaptured", aggregateId: "o1", amount, occurredAt });
  expect(stored[499]).toMatchObject({ kind: "OrderConfirmed", lines: [["A", 3]], amount: undefined });
});

test("an event that comes again long after the inbox has forgotten it counts once", async () => {
  const facts = [sale("o1", "A", 2), fact("ProductViewed", "A")];
  await insert(facts);
  await rollUpAll();
  await insert([...facts, fact("ProductViewed", "A")]);
  await rollUpAll();
  expect(await createReports(database).funnel("2026-11-22")).toEqual(
    new Map([
      ["OrderConfirmed", 1],
      ["ProductViewed", 2],
    ]),
  );
  expect(await top()).toEqual([{ sku: "A", quantity: 2 }]);
});

test("sums are those of all facts, whoever rolls them up and in how many transactions", async () => {
  const facts = Array.from({ length: 2_500 }, (_, i) =>
    i % 5 === 4
      ? fact("OrderCancelled", `o${i - 1}`)
      : i % 5 === 3
        ? sale(`o${i}`, `S${i % 7}`, 1)
        : sale(`o${i}`, `S${i % 7}`, 2),
  );
  for (let from = 0; from < facts.length; from += 500) await insert(facts.slice(from, from + 500));
  await Promise.all([rollUpAll(), rollUpAll()]);
  const expected = new Map<string, number>();
  for (let i = 0; i < 2_500; i += 1) if (i % 5 < 3) expected.set(`S${i % 7}`, (expected.get(`S${i % 7}`) ?? 0) + 2);
  expect(new Map((await top()).map(({ sku, quantity }) => [sku, quantity]))).toEqual(expected);
  expect(await createReports(database).funnel("2026-11-22")).toEqual(
    new Map([
      ["OrderCancelled", 500],
      ["OrderConfirmed", 2_000],
    ]),
  );
});

test("revenue is exact, by minute and currency, and in order", async () => {
  const paid = (kind: string, minorUnits: bigint, second: number, currencyCode = "EUR") =>
    fact(kind, "o", { amount: { currencyCode, minorUnits }, occurredAt: new Date(now + second * 1_000) });
  await insert([
    paid("PaymentCaptured", 1_000_000_000_000n, 61),
    paid("PaymentCaptured", 5n, 0),
    paid("PaymentCaptured", 1n, 0, "JPY"),
  ]);
  await rollUpAll();
  await insert([paid("PaymentRefunded", 7n, 119), paid("PaymentCaptured", 1n, 62), paid("PaymentCaptured", 8n, 120)]);
  await rollUpAll();
  const range = { from: new Date(now), until: new Date(now + 120_000), currencyCode: "EUR" };
  expect(await createReports(database).revenue(range)).toEqual([
    { minute: new Date(now), currencyCode: "EUR", captured: 5n, refunded: 0n },
    { minute: new Date(now + 60_000), currencyCode: "EUR", captured: 1_000_000_000_001n, refunded: 7n },
  ]);
});

describe("the leaderboard's window", () => {
  test("is 30 days: what was sold before goes, and is in no score when it comes late", async () => {
    await insert([sale("o1", "A", 1), sale("o2", "A", 2, 29), sale("o3", "A", 4, 30), sale("o4", "B", 8, 100)]);
    await rollUpAll();
    expect(await top()).toEqual([{ sku: "A", quantity: 3 }]);
    await insert([sale("o5", "C", 5, 40)]);
    await rollUpAll();
    expect(await top()).toEqual([{ sku: "A", quantity: 3 }]);
  });

  test("moves with the days", async () => {
    await insert([sale("o1", "A", 1), sale("o2", "A", 2, 29), sale("o3", "B", 3, 28)]);
    await rollUpAll();
    const tomorrow = { ...deps, clock: { ...clock, now: () => now + dayMs } };
    while (await moveWindow(tomorrow));
    expect(await top()).toEqual([
      { sku: "B", quantity: 3 },
      { sku: "A", quantity: 1 },
    ]);
    await insert([fact("OrderCancelled", "o2"), fact("OrderCancelled", "o3")]);
    while (await rollUpFacts(tomorrow));
    expect(await top()).toEqual([{ sku: "A", quantity: 1 }]);
  });
});

test("pages of the top are keyset pages by an index", async () => {
  await insert(Array.from({ length: 40 }, (_, i) => sale(`o${i}`, `S${String(i).padStart(2, "0")}`, 1 + (i % 3))));
  await rollUpAll();
  const found: Score[] = [];
  for (;;) {
    const page = await top(found.at(-1), 7);
    if (page.length === 0) break;
    found.push(...page);
  }
  expect(found).toEqual(found.toSorted((a, b) => b.quantity - a.quantity || (a.sku < b.sku ? -1 : 1)));
  expect(new Set(found.map(({ sku }) => sku)).size).toBe(40);
  await insert(Array.from({ length: 3_000 }, (_, i) => sale(`p${i}`, `T${i}`, 1 + (i % 50))));
  await rollUpAll();
  await database.query("test.analyze", "ANALYZE TABLE product_scores");
  const sql = `SELECT sku, quantity FROM product_scores WHERE quantity > 0 AND quantity <= ? AND (quantity < ? OR sku > ?)
    ORDER BY quantity DESC, sku LIMIT 11`;
  expect(await plan(sql, [30, 30, "S"])).toMatchObject([
    { key: "product_scores_quantity", type: "range", Extra: expect.not.stringContaining("filesort") },
  ]);
});

test("a score that changes while it is copied is copied again", async () => {
  const scores = createScoreStore(database);
  const copied: Score[][] = [];
  const leaderboard = {
    listTop: async () => undefined,
    replace: async () => 0,
    async set(changed: readonly Score[]) {
      copied.push(changed.map(({ sku, quantity }) => ({ sku, quantity })));
      if (copied.length === 1) {
        await insert([sale("o2", "A", 2)]);
        await rollUpAll();
      }
      return true;
    },
  };
  await insert([sale("o1", "A", 1), sale("o3", "B", 1)]);
  await rollUpAll();
  for (let i = 0; i < 3; i += 1) await copyScores({ scores, leaderboard });
  expect(copied).toEqual([
    [
      { sku: "A", quantity: 1 },
      { sku: "B", quantity: 1 },
    ],
    [{ sku: "A", quantity: 3 }],
    [],
  ]);
});

test("purge() removes what is too old, in pieces, but no fact that is in no sum yet", async () => {
  await insert(Array.from({ length: 1_500 }, () => sale(`o${ids}`, "A", 1, 401)));
  await rollUpAll();
  await insert([sale("pending", "A", 1, 100), sale("young", "A", 1, 80)]);
  // By now the orders are as old as the facts.
  await database.execute("test.age", "UPDATE order_sales SET updated_at = updated_at - INTERVAL 1000 DAY");
  const rows = createPurgeStore(database);
  const again = [await purge({ rows, clock }), await purge({ rows, clock })];
  expect(again).toEqual([true, false]);
  const counts = await database.query<Record<string, string>>(
    "test.count",
    "SELECT (SELECT COUNT(*) FROM facts) AS facts, (SELECT COUNT(*) FROM order_sales) AS orders, (SELECT COUNT(*) FROM sales_daily) AS sales",
  );
  expect(Object.values(counts[0] ?? {}).map(Number)).toEqual([2, 0, 0]);
});
