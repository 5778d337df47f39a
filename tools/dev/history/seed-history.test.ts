import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { replayProjection } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { beforeEach, describe, expect, test } from "vitest";
import { seedStock } from "../../../services/inventory/store.ts";
import { createReadConfirmed } from "../../../services/order/confirmed-orders.ts";
import { createPairsProjection } from "../../../services/recommendation/pairs-projection.ts";
import type { HttpServer } from "../outside/http.ts";
import type { LedgerEntry } from "../outside/ledger.ts";
import { startPaymentProvider } from "../payment-provider.ts";
import { SEED_PRODUCTS } from "../seed-data.ts";
import { testDatabase } from "../testing/engines.ts";
import { type HistoryPlaces, seedHistory } from "./seed-history.ts";

const SERVICES = ["user", "notification", "inventory", "payment", "order", "analytics", "recommendation"] as const;
const NOW_MS = Date.parse("2026-11-22T12:00:00Z");
const PROVIDER_KEY = "secret";
const DAY_MS = 86_400_000;

const telemetry = createTelemetry({ service: "test", logLevel: "error" });
type Position = Parameters<ReturnType<typeof createReadConfirmed>>[0];
let resources: AsyncDisposableStack;
let databases: Record<(typeof SERVICES)[number], Database>;
let provider: HttpServer;

/** An empty shop: tables, stock, a provider that has been asked nothing. */
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  const open = async (service: string) => {
    const schema = resources.use(await testDatabase(service));
    const database = resources.use(createDatabase({ url: schema.url, telemetry }));
    const directory = new URL(`../../../services/${service}/migrations/`, import.meta.url);
    await migrate({ database, component: service, directory, logger: telemetry.logger });
    return [service, database] as const;
  };
  databases = Object.fromEntries(await Promise.all(SERVICES.map(open))) as typeof databases;
  await seedStock(
    databases.inventory,
    SEED_PRODUCTS.map(({ sku, stock }) => ({ sku, onHand: stock })),
  );
  const directory = await mkdtemp(join(tmpdir(), "weft-history-"));
  resources.defer(() => rm(directory, { recursive: true }));
  const ledgerFile = join(directory, "ledger.jsonl");
  provider = resources.use(await startPaymentProvider({ port: 0, key: PROVIDER_KEY, ledgerFile }));
  return () => resources.disposeAsync();
});

const run = (nowMs = NOW_MS, places: Partial<HistoryPlaces> = {}) =>
  seedHistory(
    { ...databases, provider: { url: provider.url, key: PROVIDER_KEY }, ...places },
    {
      products: SEED_PRODUCTS,
      passwordHash: async () => "$argon2id$of-a-password",
      stocked: Promise.resolve(),
      clock: { now: () => nowMs, monotonic: () => nowMs },
    },
  );

const tables = {
  user: ["users"],
  notification: ["contacts", "messages"],
  inventory: ["stock", "reservations", "reservation_lines", "known_orders"],
  payment: ["payments"],
  order: ["order_events", "orders", "sagas", "order_history"],
  analytics: ["facts"],
  recommendation: ["pairs", "views"],
} as const;

/** All that is written, as sums over each table, and the provider's ledger. */
async function everything() {
  const sums: Record<string, unknown> = {};
  for (const service of SERVICES) {
    for (const table of tables[service]) {
      const [sum] = await databases[service].query<{ Checksum: string }>("test.checksum", `CHECKSUM TABLE ${table}`);
      const [row] = await databases[service].query<{ n: string }>("test.count", `SELECT COUNT(*) AS n FROM ${table}`);
      // AUTO_INCREMENT depends on what was tried before.
      sums[table] = table === "facts" ? row?.n : [row?.n, sum?.Checksum];
    }
  }
  return { ...sums, ledger: await ledger() };
}

async function ledger(): Promise<LedgerEntry[]> {
  const response = await fetch(`${provider.url}/v1/ledger`, { headers: { authorization: `Bearer ${PROVIDER_KEY}` } });
  return ((await response.json()) as { entries: LedgerEntry[] }).entries;
}

const count = async (service: (typeof SERVICES)[number], sql: string) => {
  const [row] = await databases[service].query<{ n: string }>("test.count", `SELECT COUNT(*) AS n FROM ${sql}`);
  return Number(row?.n);
};

test("what was bought together in the past is the same when it is made anew of order's log", {
  timeout: 60_000,
}, async () => {
  await run();
  const { recommendation, order } = databases;
  const pairs = () => recommendation.query("test.pairs", "SELECT * FROM pairs ORDER BY sku, other");
  const before = await pairs();
  const readConfirmed = createReadConfirmed(order);
  const confirmedOrders = async function* () {
    for (let after: Position; ; ) {
      const { orders, next } = await readConfirmed(after);
      yield orders;
      if (next === undefined) return;
      after = next;
    }
  };
  const deps = { database: recommendation, clock: systemClock };
  const projection = createPairsProjection({ database: recommendation, confirmedOrders });
  const { rows } = await replayProjection(deps, projection, "test", () => {});
  expect(rows).toBeGreaterThan(2_000);
  expect(await pairs()).toEqual(before);
});

test("an empty shop gets its past in seconds, once: a month later it is still the same", {
  timeout: 60_000,
}, async () => {
  const startedMs = performance.now();
  expect(await run()).toBe("written");
  expect(performance.now() - startedMs).toBeLessThan(20_000);
  expect(await count("order", "orders")).toBeGreaterThan(2_000);
  expect(await count("user", "users")).toBeGreaterThan(300);
  expect(await count("notification", "messages")).toBe(0);
  expect((await ledger()).length).toBeGreaterThan(4_000);
  const before = await everything();
  expect(await run()).toBe("nothing");
  expect(await run(NOW_MS + 40 * DAY_MS)).toBe("nothing");
  expect(await everything()).toEqual(before);

  // Stock that was there at first is what is there now and what was sold.
  const rows = await databases.inventory.query<{ sku: string; onHand: string; sold: string }>(
    "test.stock",
    `SELECT s.sku, s.on_hand AS onHand, COALESCE(SUM(l.quantity), 0) AS sold FROM stock AS s
     LEFT JOIN (reservation_lines AS l JOIN reservations AS r ON r.order_id = l.order_id AND r.state = 'COMMITTED')
       ON l.sku = s.sku GROUP BY s.sku, s.on_hand`,
  );
  const now = new Map(rows.map(({ sku, onHand, sold }) => [sku, Number(onHand) + Number(sold)]));
  expect(now).toEqual(new Map(SEED_PRODUCTS.map(({ sku, stock }) => [sku, stock])));
  expect(rows.filter(({ sold }) => Number(sold) > 0).length).toBeGreaterThan(1_000);
});

describe("what was begun and not finished", () => {
  const broken = (database: Database): Database => ({
    ...database,
    transaction: () => Promise.reject(new Error("killed")),
  });

  test.each(["inventory", "order"] as const)(
    "is finished by the next start, as if nothing had been: killed at %s",
    { timeout: 60_000 },
    async (service) => {
      await expect(run(NOW_MS, { [service]: broken(databases[service]) })).rejects.toThrow("killed");
      expect(await run(NOW_MS + DAY_MS)).toBe("written");
      const finished = await everything();
      const ends = await databases.order.query<{ last: Date }>(
        "test.last",
        "SELECT MAX(occurred_at) AS last FROM order_events",
      );
      expect(ends[0]?.last.getTime()).toBeLessThan(NOW_MS);
      expect(await run(NOW_MS + 2 * DAY_MS)).toBe("nothing");
      expect(await everything()).toEqual(finished);
    },
  );
});

test("a shop that has orders keeps its own, and one whose visitor took the regular's address gets none", async () => {
  await databases.order.execute(
    "test.order",
    `INSERT INTO orders (order_id, bucket, user_id, state, order_lines, currency_code, total_minor_units, cancel_reason,
       payment_instructions, history, version) VALUES ('ord_1', 1, 'usr_1', 'PLACED', '[]', 'EUR', 1, '', '', '[]', 1)`,
  );
  expect(await run()).toBe("nothing");
  await databases.order.execute("test.empty", "DELETE FROM orders");
  await databases.user.execute(
    "test.user",
    `INSERT INTO users (user_id, bucket, email, display_name, password_hash, registered_at)
     VALUES ('usr_1', 1, 'customer@shop.test', 'Me', 'x', '2026-11-22')`,
  );
  expect(await run()).toBe("nothing");
  expect(await count("user", "users")).toBe(1);
});
