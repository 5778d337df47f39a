import { ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { createDatabase, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import { type Reservation, type StockLine, totalBySku } from "./domain.ts";
import { createStockStore, seedStock } from "./store.ts";
import { batchGetStock, commitReservationIn, type InventoryDeps, releaseStock, reserveStock } from "./usecases.ts";

const telemetry = createTelemetry({ service: "inventory", write: () => {} });
const resources = new AsyncDisposableStack();
let database: ReturnType<typeof createDatabase>;
let deps: InventoryDeps;
/** What was told in transactions that committed. */
const told: [event: "reserved" | "released", orderId: string, lines: readonly StockLine[]][] = [];

beforeAll(async () => {
  const schema: TestDatabase = resources.use(await testDatabase("inventory"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "inventory", directory, logger: telemetry.logger });
  deps = {
    database,
    stock: createStockStore(database),
    events: {
      async stockReserved(tx, ...event) {
        tx.afterCommit(() => told.push(["reserved", ...event]));
      },
      async stockReleased(tx, ...event) {
        tx.afterCommit(() => told.push(["released", ...event]));
      },
    },
  };
});
afterAll(() => resources.disposeAsync());

let names = 0;
/** A name that no other test uses: all of them share one schema. */
const fresh = (prefix: string) => `${prefix}-${++names}`;

async function freshSku(onHand: number): Promise<string> {
  const sku = fresh("SKU");
  await seedStock(database, [{ sku, onHand }]);
  return sku;
}

const reserve = (orderId: string, ...lines: [sku: string, quantity: number][]) =>
  reserveStock(deps, { orderId, lines: lines.map(([sku, quantity]) => ({ sku, quantity })) });
const release = (orderId: string) => releaseStock(deps, orderId);
const commit = (orderId: string) => database.transaction("test.commit", (tx) => commitReservationIn(tx, deps, orderId));

/** "ok", or the reason why not. */
const outcome = (work: Promise<void>) =>
  work.then(
    () => "ok",
    (error: unknown) => errorReason(ConnectError.from(error)) ?? error,
  );

/** On hand and held. */
async function levels(...skus: string[]): Promise<[number, number][]> {
  return (await batchGetStock(deps, skus)).map(({ onHand, held }) => [Number(onHand), Number(held)]);
}

describe("reserveStock()", () => {
  test("holds all lines, adds up those of one SKU, and tells of it once", async () => {
    const [a, b, order] = [await freshSku(5), await freshSku(5), fresh("ord")];
    await reserve(order, [b, 1], [a, 2], [b, 3]);
    await reserve(order, [b, 1], [a, 2], [b, 3]);
    expect(await levels(a, b)).toEqual([
      [5, 2],
      [5, 4],
    ]);
    const lines = [
      { sku: a, quantity: 2 },
      { sku: b, quantity: 4 },
    ];
    expect(told.filter(([, orderId]) => orderId === order)).toEqual([["reserved", order, lines]]);
  });

  test("holds nothing if one line is short, and says what was wanted and what there is", async () => {
    const [a, b] = [await freshSku(5), await freshSku(1)];
    const unknown = fresh("NONE");
    const order = fresh("ord");
    const error = ConnectError.from(await reserve(order, [a, 5], [b, 2], [unknown, 1]).catch((e: unknown) => e));
    expect(error.rawMessage).toBe(
      `not enough stock of ${unknown} (wanted 1, available 0), ${b} (wanted 2, available 1)`,
    );
    expect(await levels(a, b)).toEqual([
      [5, 0],
      [1, 0],
    ]);
    expect(told.filter(([, orderId]) => orderId === order)).toEqual([]);
  });

  test("does not take a SKU with a space at its end for the one without", async () => {
    const a = await freshSku(5);
    expect(await outcome(reserve(fresh("ord"), [a, 1], [`${a} `, 1]))).toBe("OUT_OF_STOCK");
  });

  test("refuses other lines for an order that holds some", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await reserve(order, [a, 1]);
    expect(await outcome(reserve(order, [a, 2]))).toBe("RESERVATION_DIFFERS");
  });

  test("refuses an order that was released before it reserved", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await release(order);
    expect(await outcome(reserve(order, [a, 1]))).toBe("RESERVATION_RELEASED");
    expect(await levels(a)).toEqual([[5, 0]]);
  });

  test("never oversells, whatever comes at once and in whatever order of SKUs", async () => {
    const [a, b] = [await freshSku(7), await freshSku(7)];
    const orders = Array.from({ length: 40 }, (_, i) => {
      const lines: [string, number][] = [
        [a, 1],
        [b, 1],
      ];
      return outcome(reserve(fresh("ord"), ...(i % 2 ? lines : lines.toReversed())));
    });
    const outcomes = await Promise.all(orders);
    expect(outcomes.filter((o) => o === "ok")).toHaveLength(7);
    expect(new Set(outcomes)).toEqual(new Set(["ok", "OUT_OF_STOCK"]));
    expect(await levels(a, b)).toEqual([
      [7, 7],
      [7, 7],
    ]);
  });

  test("holds once for one order that asks many times at once", async () => {
    const [a, order] = [await freshSku(50), fresh("ord")];
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(reserve(order, [a, 2]))));
    expect(new Set(outcomes)).toEqual(new Set(["ok"]));
    expect(await levels(a)).toEqual([[50, 2]]);
  });

  test("and releaseStock() at once end with nothing held", async () => {
    const a = await freshSku(50);
    const pairs = Array.from({ length: 20 }, async () => {
      const order = fresh("ord");
      const [reserved, released] = await Promise.all([outcome(reserve(order, [a, 2])), outcome(release(order))]);
      expect(["ok", "RESERVATION_RELEASED"]).toContain(reserved);
      expect(released).toBe("ok");
    });
    await Promise.all(pairs);
    expect(await levels(a)).toEqual([[50, 0]]);
  });
});

describe("an order's confirmation", () => {
  test("takes what is held out of the warehouse, once", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await reserve(order, [a, 2]);
    await commit(order);
    await commit(order);
    expect(await levels(a)).toEqual([[3, 0]]);
  });

  test("fails, to be delivered again, when nothing is known of a reservation", async () => {
    expect(await outcome(commit(fresh("ord")))).toBe("RESERVATION_NOT_FOUND");
  });

  test("changes nothing when the cancellation was faster", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await reserve(order, [a, 2]);
    await release(order);
    await commit(order);
    expect(await levels(a)).toEqual([[5, 0]]);
  });
});

test("releaseStock() of an order that is sold brings it back to the warehouse, and tells of it once", async () => {
  const [a, order] = [await freshSku(5), fresh("ord")];
  await reserve(order, [a, 2]);
  await commit(order);
  await release(order);
  await release(order);
  expect(await levels(a)).toEqual([[5, 0]]);
  expect(told.filter(([event, orderId]) => event === "released" && orderId === order)).toHaveLength(1);
});

test("seedStock() leaves what is there as it is", async () => {
  const a = await freshSku(5);
  await reserve(fresh("ord"), [a, 2]);
  await seedStock(database, [{ sku: a, onHand: 100 }]);
  expect(await levels(a)).toEqual([[5, 2]]);
});

describe("any sequence of reservations, confirmations and releases", () => {
  const SKUS = 3;
  const ORDERS = 3;
  const line = fc.tuple(fc.nat(SKUS - 1), fc.integer({ min: 1, max: 3 }));
  const step = fc.record({
    order: fc.nat(ORDERS - 1),
    action: fc.oneof(
      fc.record({ kind: fc.constant("reserve" as const), lines: fc.array(line, { minLength: 1, maxLength: 3 }) }),
      fc.record({ kind: fc.constantFrom("commit" as const, "release" as const) }),
    ),
  });
  // Long ones: it takes three steps on one order to bring sold stock back.
  const sequences = fc.array(step, { maxLength: 20, size: "max" });
  const initial = fc.array(fc.integer({ min: 0, max: 10 }), { minLength: SKUS, maxLength: SKUS });

  test("keeps 0 <= held <= on hand and initial = on hand + sold, and answers as the rules say", async () => {
    const property = fc.asyncProperty(initial, sequences, async (stock, steps) => {
      const skus = await Promise.all(stock.map(freshSku));
      const orders = Array.from({ length: ORDERS }, () => fresh("ord"));
      const model = new Map<string, Omit<Reservation, "orderId">>();
      const taken = (state: "HELD" | "COMMITTED", sku: string) =>
        [...model.values()]
          .filter((reservation) => reservation.state === state)
          .flatMap((reservation) => reservation.lines)
          .reduce((sum, held) => sum + (held.sku === sku ? held.quantity : 0), 0);
      const onHand = (sku: string) => (stock[skus.indexOf(sku)] ?? 0) - taken("COMMITTED", sku);

      for (const { order, action } of steps) {
        const orderId = orders[order] ?? "";
        const known = model.get(orderId);
        if (action.kind === "reserve") {
          const lines = action.lines.map(([sku, quantity]): [string, number] => [skus[sku] ?? "", quantity]);
          const totals = totalBySku(lines.map(([sku, quantity]) => ({ sku, quantity })));
          const isEnough = totals.every(({ sku, quantity }) => onHand(sku) - taken("HELD", sku) >= quantity);
          let expected = isEnough ? "ok" : "OUT_OF_STOCK";
          if (known?.state === "RELEASED") expected = "RESERVATION_RELEASED";
          else if (known)
            expected = JSON.stringify(known.lines) === JSON.stringify(totals) ? "ok" : "RESERVATION_DIFFERS";
          expect(await outcome(reserve(orderId, ...lines))).toBe(expected);
          if (!known && isEnough) model.set(orderId, { state: "HELD", lines: totals });
        } else if (action.kind === "commit") {
          expect(await outcome(commit(orderId))).toBe(known ? "ok" : "RESERVATION_NOT_FOUND");
          if (known?.state === "HELD") model.set(orderId, { ...known, state: "COMMITTED" });
        } else {
          expect(await outcome(release(orderId))).toBe("ok");
          model.set(orderId, { lines: known?.lines ?? [], state: "RELEASED" });
        }
        const now = await levels(...skus);
        for (const [hand, held] of now) expect(0 <= held && held <= hand).toBe(true);
        expect(now).toEqual(skus.map((sku) => [onHand(sku), taken("HELD", sku)]));
      }
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
