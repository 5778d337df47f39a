import { create } from "@bufbuild/protobuf";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, migrate, newId } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createReadConfirmed } from "./confirmed-orders.ts";
import { apply, decide, type Finding, type Order, type OrderEvent } from "./domain.ts";
import type { EventPosition } from "./event-pages.ts";
import type { StoredEvent } from "./event-rows.ts";
import { type OrderSeed, seedOrders } from "./seed.ts";

const resources = new AsyncDisposableStack();
const source = { clock: systemClock, random: Math.random };
let database: Database;

beforeAll(async () => {
  const schema = resources.use(await testDatabase("order_confirmed"));
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "order", directory, logger: telemetry.logger });
});
afterAll(() => resources.disposeAsync());

function seed(number: number, findings: readonly Finding[]): OrderSeed {
  const [userId, orderId] = [newId("usr", number % 1_024, source), newId("ord", number % 1_024, source)];
  const price = { currencyCode: "EUR", minorUnits: 100n };
  const lines = [`B-${number}`, "A"].map((sku) => ({ sku, name: sku, quantity: 1, unitPrice: price }));
  const events: StoredEvent[] = [];
  let order: Order | undefined;
  const add = (event: OrderEvent): Order => {
    const occurredAt = new Date(Date.UTC(2026, 0, 1) + events.length);
    events.push({ event, occurredAt });
    return apply(order, event, occurredAt);
  };
  order = add(create(OrderPlacedSchema, { orderId, userId, lines, total: price }));
  for (const finding of findings) order = add(decide(order, finding));
  return { order, events };
}

async function readAll() {
  const readConfirmed = createReadConfirmed(database);
  const pages: { orderId: string; skus: readonly string[] }[][] = [];
  let after: EventPosition | undefined;
  do {
    const { orders, next } = await readConfirmed(after);
    pages.push([...orders]);
    after = next;
  } while (after !== undefined);
  return pages;
}

test("an empty log is one empty page", async () => {
  expect(await readAll()).toEqual([[]]);
});

test("pages have each order that was ever confirmed once, with its products, and no other", async () => {
  const paid: Finding[] = [{ type: "stockReserved" }, { type: "authorized" }, { type: "captured" }];
  const kinds: Finding[][] = [
    paid,
    [...paid, { type: "shipped", trackingNumber: "T-1" }],
    [...paid.slice(0, 2), { type: "captureFailed", reason: "refused" }],
    [{ type: "stockReserved" }, { type: "declined", reason: "no money" }],
  ];
  const seeds = Array.from({ length: 1_600 }, (_, number) => seed(number, kinds[number % kinds.length] ?? []));
  await seedOrders(database, seeds);
  const expected = seeds
    .filter((_, number) => number % kinds.length !== 3)
    .map(({ order: { orderId, lines } }) => ({ orderId, skus: lines.map(({ sku }) => sku) }));
  const pages = await readAll();
  expect(pages.length).toBeGreaterThan(3);
  expect(pages.flat()).toEqual(expected.sort((a, b) => (a.orderId < b.orderId ? -1 : 1)));
});
