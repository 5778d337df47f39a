import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createEventOperations, type RebuildableProjection } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import type { Fact } from "./domain.ts";
import { createPurgeStore, insertFacts } from "./store.ts";
import { sumTables } from "./sum-tables.ts";
import { rollUpStore } from "./sums.ts";
import { createSumsProjection } from "./sums-projection.ts";
import { moveWindow, purge, rollUpFacts } from "./usecases.ts";

const telemetry = createTelemetry({ service: "analytics", write: () => {} });
const dayMs = 86_400_000;
let nowMs = 0;
const clock = { now: () => nowMs, monotonic: () => performance.now() };
let schema: TestDatabase | undefined;
let database: Database;
let copied = 0;

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
  nowMs = Date.parse("2026-11-22T12:00:00Z");
  copied = 0;
});
afterAll(close);

const projection = (): RebuildableProjection =>
  createSumsProjection({
    database,
    clock,
    rebuildLeaderboard: async () => {
      copied += 1;
    },
  });
const replay = (of = projection(), report: () => void = () => {}) =>
  createEventOperations({ database, projections: [of] }).replay("sums", "test", report);

let ids = 0;
/** Some of everything that happens in a day; some orders are cancelled later, some before they are heard to be confirmed. */
function factsOf(daysAgo: number): Fact[] {
  const at = (minute: number) => new Date(nowMs - daysAgo * dayMs + minute * 60_000);
  const fact = (kind: string, aggregateId: string, minute: number, more: Partial<Fact> = {}): Fact => ({
    ...{ eventId: `event-${ids++}`, kind, aggregateId, occurredAt: at(minute), ...more },
  });
  return Array.from({ length: 12 }, (_, index) => {
    const orderId = `ord-${daysAgo}-${index}`;
    const amount = { currencyCode: index % 4 === 0 ? "USD" : "EUR", minorUnits: BigInt(100 + index) };
    return [
      fact("ProductViewed", `SKU-${index}`, index),
      ...(index % 5 === 1 ? [fact("OrderCancelled", orderId, index)] : []),
      fact("OrderConfirmed", orderId, index, {
        lines: [
          [`SKU-${index % 7}`, 1 + index],
          ["SKU-X", 1],
        ],
      }),
      fact("PaymentCaptured", orderId, index + 1, { amount }),
      ...(index % 5 === 0
        ? [fact("OrderCancelled", orderId, index + 2), fact("PaymentRefunded", orderId, index + 3, { amount })]
        : []),
    ];
  }).flat();
}

const insert = (facts: readonly Fact[]) => database.transaction("test.insert", (tx) => insertFacts(tx, facts));
const rollUpAll = async () => {
  const deps = { database, sums: rollUpStore, clock };
  while (await rollUpFacts(deps));
  while (await moveWindow(deps));
};

/** All sums; without what tells only when a row was written. */
async function sums() {
  const read = (sql: string) => database.query<object>("test.sums", sql);
  return {
    funnel: await read("SELECT * FROM funnel_daily ORDER BY day, kind"),
    revenue: await read("SELECT * FROM revenue_minute ORDER BY currency_code, minute"),
    orders: await read("SELECT order_id, sold_on, order_lines, cancelled FROM order_sales ORDER BY order_id"),
    sales: await read("SELECT * FROM sales_daily WHERE quantity <> 0 ORDER BY day, sku"),
    scores: await read("SELECT sku, quantity FROM product_scores WHERE quantity <> 0 ORDER BY sku"),
  };
}

describe("the sums made anew", () => {
  test("are what they were: of the days of which all facts are there, and of older ones", async () => {
    // Half a year passes: facts go after 90 days, some orders of then are cancelled later.
    const start = nowMs;
    for (const daysAgo of [200, 150, 95, 89, 88, 40, 20, 1, 0]) {
      nowMs = start - daysAgo * dayMs;
      await insert(factsOf(0).map((fact) => ({ ...fact, aggregateId: `${fact.aggregateId}-${daysAgo}` })));
      await rollUpAll();
      while (await purge({ rows: createPurgeStore(database), clock }));
    }
    const late = { eventId: "late", kind: "OrderCancelled", occurredAt: new Date(nowMs) };
    await insert([
      { ...late, aggregateId: "ord-0-2-95" },
      { ...late, eventId: "later", aggregateId: "ord-0-2-20" },
    ]);
    await rollUpAll();
    const before = await sums();
    expect(before.sales.length).toBeGreaterThan(20);
    expect(before.scores.length).toBeGreaterThan(3);
    const result = await replay();
    expect(result.done).toBeGreaterThan(100);
    expect(await sums()).toEqual(before);
    expect(copied).toBe(1);
  });

  test("mend what somebody has spoilt", async () => {
    for (const daysAgo of [40, 3, 0]) await insert(factsOf(daysAgo));
    await rollUpAll();
    const before = await sums();
    for (const spoil of [
      "UPDATE funnel_daily SET events = events + 1",
      "DELETE FROM revenue_minute LIMIT 3",
      "UPDATE sales_daily SET quantity = 5",
      "INSERT INTO product_scores VALUES ('GHOST', 99, 1, TRUE)",
    ])
      await database.execute("test.spoil", spoil);
    await database.session("test.drop", (session) => session.script("test.drop", "DROP TABLE order_sales"));
    await replay();
    expect(await sums()).toEqual(before);
  });

  test("count facts that come meanwhile once, and later ones as ever", async () => {
    await insert([...factsOf(2), ...factsOf(1)]);
    await rollUpAll();
    const waiting = factsOf(0);
    await insert(waiting);
    let rolling: Promise<void> | undefined;
    const told = () => {
      // Held back until the new sums are there; facts themselves wait for nobody.
      rolling ??= insert(factsOf(0)).then(rollUpAll);
    };
    await replay(projection(), told);
    await rolling;
    await insert(factsOf(0));
    await rollUpAll();
    const live = await sums();
    await replay();
    expect(await sums()).toEqual(live);
    const [row] = await database.query<{ n: string }>("test.count", "SELECT SUM(events) AS n FROM funnel_daily");
    const [facts] = await database.query<{ n: string }>("test.count", "SELECT COUNT(*) AS n FROM facts");
    expect(Number(row?.n)).toBe(Number(facts?.n));
  });

  test("have tables like the migrations'", async () => {
    const definition = async (name: string) => {
      const [row] = await database.query<Record<string, string>>("test.show", `SHOW CREATE TABLE ${name}`);
      return row?.["Create Table"]?.replace(name, "");
    };
    for (const { name, create } of sumTables) {
      await database.session("test.make", (session) => session.script("test.make", create(`${name}_other`)));
      expect(await definition(`${name}_other`)).toBe(await definition(name));
    }
  });
});
