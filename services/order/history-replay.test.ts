import { createHash } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { create } from "@bufbuild/protobuf";
import { type ReplayProgress, systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, migrate, newId } from "@weft/mesh/data";
import { replayProjection } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { recordFigures } from "../../tools/dev/testing/figures.ts";
import { apply, decide, type Finding, type Order, type OrderEvent } from "./domain.ts";
import type { StoredEvent } from "./event-rows.ts";
import { historyProjection } from "./history-projection.ts";
import { type OrderSeed, seedOrders } from "./seed.ts";

const orderCount = 20_000;
const customers = 2_000;
const findings: readonly Finding[] = [
  { type: "stockReserved" },
  { type: "authorized" },
  { type: "captured" },
  { type: "shipped", trackingNumber: "DHL-1" },
];
const eventCount = orderCount * (1 + findings.length);

const resources = new AsyncDisposableStack();
let database: Database;
let userIds: readonly string[];

beforeAll(async () => {
  const schema = resources.use(await testDatabase("order_replay"));
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "order", directory, logger: telemetry.logger });
  userIds = Array.from({ length: customers }, (_, index) =>
    newId("usr", index % 1_024, { clock: systemClock, random: Math.random }),
  );
  for (let from = 0; from < orderCount; from += 500) {
    const seeds = Array.from({ length: 500 }, (_, index) => seed(from + index));
    await seedOrders(database, seeds);
  }
}, 120_000);
afterAll(() => resources.disposeAsync());

function seed(number: number): OrderSeed {
  const userId = userIds[number % userIds.length] ?? "";
  const orderId = newId("ord", number % 1_024, { clock: systemClock, random: Math.random });
  const lines = Array.from({ length: 1 + (number % 3) }, (_, line) => ({
    sku: `W-${100_000 + number + line}`,
    name: `A plain thing, number ${number + line}`,
    quantity: 1 + (line % 2),
    unitPrice: { currencyCode: "EUR", minorUnits: BigInt(100 + number) },
  }));
  const total = { currencyCode: "EUR", minorUnits: BigInt(1_000 + number) };
  const events: StoredEvent[] = [];
  let order: Order | undefined;
  const add = (event: OrderEvent): Order => {
    const occurredAt = new Date(Date.UTC(2026, 0, 1) + number * 1_000 + events.length);
    events.push({ event, occurredAt });
    return apply(order, event, occurredAt);
  };
  order = add(create(OrderPlacedSchema, { orderId, userId, lines, total }));
  for (const finding of findings) order = add(decide(order, finding));
  return { order, events };
}

test("the history's table is made like the migrations make it", async () => {
  const definition = async (name: string) => {
    const [row] = await database.query<Record<string, string>>("test.show", `SHOW CREATE TABLE ${name}`);
    return row?.["Create Table"]?.replace(name, "");
  };
  const [made] = historyProjection.tables;
  await database.session("test.make", (session) => session.script("test.make", made?.create("other_history") ?? ""));
  expect(await definition("other_history")).toBe(await definition("order_history"));
});

/** Of the whole history, in the order of its key. */
async function checksum(): Promise<string> {
  const rows = await database.query<object>("test.history", "SELECT * FROM order_history ORDER BY user_id, order_id");
  return createHash("sha256").update(JSON.stringify(rows)).digest("hex");
}

const replay = (report: (progress: ReplayProgress) => void = () => {}) =>
  replayProjection({ database, clock: systemClock }, historyProjection, "test", report);

describe("a history of 100,000 events", () => {
  test("that somebody has dropped is the same when it is made anew", { timeout: 120_000 }, async () => {
    const before = await checksum();
    await database.session("test.drop", (session) => session.script("test.drop", "DROP TABLE order_history"));
    const startedMs = performance.now();
    const told: number[] = [];
    const result = await replay(({ done }) => told.push(done));
    const tookMs = performance.now() - startedMs;
    expect(result).toMatchObject({ phase: "done", done: eventCount, total: eventCount, rows: orderCount, removed: 0 });
    expect(told.length).toBeGreaterThan(10);
    expect(await checksum()).toBe(before);
    await recordFigures("order-history-replay", [
      {
        events: eventCount,
        orders: orderCount,
        "read, folded, written": `${Math.round(result.eventsPerSecond)} events/s`,
        "with catching up and swap": `${Math.round((eventCount * 1_000) / tookMs)} events/s`,
        took: `${(tookMs / 1_000).toFixed(2)} s`,
        checksum: before.slice(0, 16),
      },
    ]);
  });

  test("that is made anew while orders come in is the fold of all of them, and holds nobody up", {
    timeout: 120_000,
  }, async () => {
    let number = orderCount;
    let isOver = false;
    /** Orders, one after the other, until it is over; how long each took, in ms. */
    const comingIn = async (atLeast: number): Promise<number[]> => {
      const tookMs: number[] = [];
      while (!isOver || tookMs.length < atLeast) {
        const startedMs = performance.now();
        await seedOrders(database, [seed(number++)]);
        tookMs.push(performance.now() - startedMs);
      }
      return tookMs.sort((a, b) => a - b);
    };
    isOver = true;
    const alone = await comingIn(100);
    isOver = false;
    const loop = monitorEventLoopDelay({ resolution: 1 });
    loop.enable();
    const orders = comingIn(10);
    const result = await replay().finally(() => {
      isOver = true;
    });
    const meanwhile = await orders;
    loop.disable();
    expect(result.done).toBeGreaterThanOrEqual(eventCount);
    const [row] = await database.query<{ n: string }>("test.count", "SELECT COUNT(*) AS n FROM order_history");
    expect(Number(row?.n)).toBe(number);
    const live = await checksum();
    await replay();
    expect(await checksum()).toBe(live);
    const at = (times: readonly number[], share: number) =>
      `${times[Math.floor((times.length - 1) * share)]?.toFixed(1)} ms`;
    await recordFigures("order-history-replay-meanwhile", [
      {
        orders: "alone",
        count: alone.length,
        p50: at(alone, 0.5),
        p99: at(alone, 0.99),
        "event loop held, longest": "",
      },
      {
        ...{ orders: "during a replay", count: meanwhile.length, p50: at(meanwhile, 0.5), p99: at(meanwhile, 0.99) },
        "event loop held, longest": `${(loop.max / 1e6).toFixed(1)} ms`,
      },
    ]);
  });
});
