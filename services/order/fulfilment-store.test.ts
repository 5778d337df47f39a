import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import type { Order } from "./domain.ts";
import { listOrdersInState } from "./fulfilment.ts";
import { createFulfilmentStore, selectInState } from "./fulfilment-store.ts";
import { orderColumns, orderValues } from "./rows.ts";

const telemetry = createTelemetry({ service: "order", write: () => {} });
const resources = new AsyncDisposableStack();
const migrations = new URL("./migrations/", import.meta.url);
const atMs = Date.parse("2026-03-01T12:00:00.123Z");
let database: Database;

/** An order that came into its state so many minutes after noon. */
const orderAt = (name: string, state: Order["state"], minute: number): Order => ({
  ...{ orderId: `ord_${name}`, userId: "usr_1", state, lines: [], total: { currencyCode: "EUR", minorUnits: 1n } },
  ...{
    cancelReason: "",
    cancelCause: "",
    paymentInstructions: "",
    paymentDueAt: undefined,
    trackingNumber: "",
    version: 2,
  },
  history: [
    { state: "PLACED", enteredAt: new Date(0) },
    { state, enteredAt: new Date(atMs + minute * 60_000) },
  ],
});

beforeAll(async () => {
  const schema = resources.use(await testDatabase("order"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  await migrate({ database, component: "order", directory: migrations, logger: telemetry.logger });
  const sql = `INSERT INTO orders (${orderColumns.join(", ")}) VALUES (${orderColumns.map(() => "?").join(", ")})`;
  // Two of the same moment, one that a plain order by id would put first, and many that nobody waits for.
  const waiting = [orderAt("a", "PAID", 9), orderAt("d", "PAID", 5), orderAt("c", "PAID", 5), orderAt("b", "PAID", 1)];
  const others = Array.from({ length: 200 }, (_, index) => orderAt(`x${index}`, "DELIVERED", index));
  for (const order of [...waiting, orderAt("e", "SHIPPED", 2), ...others]) {
    await database.execute("test.insert", sql, orderValues(order, 7));
  }
});
afterAll(() => resources.disposeAsync());

describe("listOrdersInState()", () => {
  const longestFirst = ["ord_b", "ord_c", "ord_d", "ord_a"];
  test.each(
    [1, 2, 3, 4, 5].flatMap((pageSize) => [
      { pageSize, newestFirst: false, expected: longestFirst, first: "have waited longest" },
      { pageSize, newestFirst: true, expected: longestFirst.toReversed(), first: "came last" },
    ]),
  )("gives those first that $first, in pages of $pageSize none twice", async ({ pageSize, newestFirst, expected }) => {
    const deps = { fulfilment: createFulfilmentStore(database) };
    const seen: string[] = [];
    let after: Awaited<ReturnType<typeof listOrdersInState>>["next"];
    do {
      const page = await listOrdersInState(deps, { state: "PAID", newestFirst, after, pageSize });
      expect(page.orders.length).toBeLessThanOrEqual(pageSize);
      seen.push(...page.orders.map(({ orderId }) => orderId));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(expected);
  });

  const middle = { since: new Date(atMs + 5 * 60_000), orderId: "ord_c" };
  test.each([
    { after: undefined, newestFirst: false },
    { after: undefined, newestFirst: true },
    { after: middle, newestFirst: false },
    { after: middle, newestFirst: true },
  ])("reads a page by its index, without sorting: %o", async (where) => {
    const { sql, params } = selectInState({ state: "DELIVERED", ...where, limit: 5 });
    const plan = await database.query<{ key: string; Extra: string }>("test.explain", `EXPLAIN ${sql}`, params);
    expect(plan).toMatchObject([{ key: "orders_in_state", Extra: expect.not.stringContaining("filesort") }]);
  });
});

test("an order of before there was a time of its state gets that of its last event", async () => {
  await using resources = new AsyncDisposableStack();
  const schema = resources.use(await testDatabase("order"));
  const older = resources.use(createDatabase({ url: schema.url, telemetry }));
  const before = await mkdtemp(join(tmpdir(), "weft-migrations-"));
  resources.defer(() => rm(before, { recursive: true }));
  await cp(migrations, before, { recursive: true, filter: (path) => !/\/000[4-9]/.test(path) });
  const migrateFrom = (directory: URL) =>
    migrate({ database: older, component: "order", directory, logger: telemetry.logger });
  await migrateFrom(pathToFileURL(`${before}/`));
  const later = ["state_since", "cancel_cause", "fold_version"];
  const known = orderColumns.filter((name) => !later.includes(name));
  const order = orderAt("old", "PAID", 3);
  const values = orderValues(order, 7).filter((_, index) => !later.includes(orderColumns[index] ?? ""));
  const sql = `INSERT INTO orders (${known.join(", ")}) VALUES (${known.map(() => "?").join(", ")})`;
  await older.execute("test.insert", sql, values);
  const event = "INSERT INTO order_events (order_id, version, type, payload, occurred_at) VALUES (?, ?, '', '', ?)";
  for (const [index, { enteredAt }] of order.history.entries()) {
    await older.execute("test.insertEvent", event, [order.orderId, index + 1, enteredAt]);
  }
  await migrateFrom(migrations);
  expect(await older.query("test.since", "SELECT state_since FROM orders")).toEqual([
    { state_since: order.history.at(-1)?.enteredAt },
  ]);
});
