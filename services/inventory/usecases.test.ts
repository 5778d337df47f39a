import { ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { createDatabase, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import { type Reservation, type StockLine, totalBySku } from "./domain.ts";
import { createStockStore, seedStock } from "./store.ts";
import {
  batchGetStock,
  commitReservationIn,
  expireReservations,
  type InventoryDeps,
  releaseStock,
  reserveStock,
} from "./usecases.ts";

const telemetry = createTelemetry({ service: "inventory", write: () => {} });
const resources = new AsyncDisposableStack();
let database: ReturnType<typeof createDatabase>;
let deps: InventoryDeps;
/** What was told in transactions that committed. */
const told: [event: "reserved" | "released", orderId: string, lines: readonly StockLine[]][] = [];
const low: [sku: string, available: number][] = [];
/** What the clock says, in milliseconds. */
let nowMs = Date.parse("2026-03-01T12:00:00Z");
const lowStockThreshold = 5;

beforeAll(async () => {
  const schema: TestDatabase = resources.use(await testDatabase("inventory"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "inventory", directory, logger: telemetry.logger });
  deps = {
    clock: { now: () => nowMs, monotonic: () => nowMs },
    lowStockThreshold,
    database,
    stock: createStockStore(database),
    events: {
      async stockReserved(tx, ...event) {
        tx.afterCommit(() => told.push(["reserved", ...event]));
      },
      async stockReleased(tx, orderId, lines) {
        tx.afterCommit(() => told.push(["released", orderId, lines]));
      },
      async stockLow(tx, sku, available) {
        tx.afterCommit(() => low.push([sku, Number(available)]));
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

const ttlMs = 45 * 60_000;
const expire = (limit = 1_000) => expireReservations(deps, { ttlMs, limit });
const know = (orderId: string) => database.transaction("test.know", (tx) => deps.stock.addKnownOrder(tx, orderId));
const releasesOf = (orderId: string) => told.filter(([event, id]) => event === "released" && id === orderId);

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

describe("little stock", () => {
  const lowOf = (sku: string) => low.filter(([of]) => of === sku).map(([, available]) => available);

  test("is told of when a reservation leaves the threshold or less, and not again below it", async () => {
    const a = await freshSku(lowStockThreshold + 3);
    await reserve(fresh("ord"), [a, 2]);
    expect(lowOf(a)).toEqual([]);
    await reserve(fresh("ord"), [a, 1]);
    expect(lowOf(a)).toEqual([lowStockThreshold]);
    await reserve(fresh("ord"), [a, 1]);
    expect(lowOf(a)).toEqual([lowStockThreshold]);
  });

  test("is told of when one reservation takes all there is", async () => {
    const a = await freshSku(lowStockThreshold + 10);
    await reserve(fresh("ord"), [a, lowStockThreshold + 10]);
    expect(lowOf(a)).toEqual([0]);
  });

  test("is told of anew when stock has come back and goes again", async () => {
    const [a, order] = [await freshSku(lowStockThreshold + 1), fresh("ord")];
    await reserve(order, [a, 1]);
    await release(order);
    await reserve(fresh("ord"), [a, 1]);
    expect(lowOf(a)).toEqual([lowStockThreshold, lowStockThreshold]);
  });

  test("is not told of when the reservation is refused, repeated or sold", async () => {
    const [a, b, order] = [await freshSku(lowStockThreshold + 1), await freshSku(0), fresh("ord")];
    expect(await outcome(reserve(fresh("ord"), [a, 1], [b, 1]))).toBe("OUT_OF_STOCK");
    expect(lowOf(a)).toEqual([]);
    await reserve(order, [a, 1]);
    await reserve(order, [a, 1]);
    await commit(order);
    expect(lowOf(a)).toEqual([lowStockThreshold]);
  });

  test("is told of once by many who take at once", async () => {
    const a = await freshSku(lowStockThreshold + 10);
    await Promise.all(Array.from({ length: lowStockThreshold + 10 }, () => reserve(fresh("ord"), [a, 1])));
    expect(lowOf(a)).toEqual([lowStockThreshold]);
  });
});

describe("expireReservations()", () => {
  test("gives back what nobody has told of, once it is old enough, and tells of it once", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await reserve(order, [a, 2]);
    nowMs += ttlMs - 1;
    await expire();
    expect(await levels(a)).toEqual([[5, 2]]);
    nowMs += 2;
    await expire();
    expect(await levels(a)).toEqual([[5, 0]]);
    await expire();
    expect(releasesOf(order)).toEqual([["released", order, [{ sku: a, quantity: 2 }]]]);
  });

  test("never touches an order that exists, however old: it may still be confirmed", async () => {
    const [a, before, after] = [await freshSku(5), fresh("ord"), fresh("ord")];
    await know(before);
    await reserve(before, [a, 1]);
    await reserve(after, [a, 2]);
    await know(after);
    nowMs += 1_000 * ttlMs;
    await expire();
    expect(await levels(a)).toEqual([[5, 3]]);
    await commit(before);
    await commit(after);
    expect(await levels(a)).toEqual([[2, 0]]);
  });

  test("leaves what is sold or given back already", async () => {
    const [a, sold, released] = [await freshSku(5), fresh("ord"), fresh("ord")];
    await reserve(sold, [a, 1]);
    await reserve(released, [a, 1]);
    await commit(sold);
    await release(released);
    nowMs += 2 * ttlMs;
    await expire();
    expect(await levels(a)).toEqual([[4, 0]]);
    expect([releasesOf(sold).length, releasesOf(released).length]).toEqual([0, 1]);
  });

  test("by several instances at once gives each back once", async () => {
    const a = await freshSku(100);
    const orders = Array.from({ length: 30 }, () => fresh("ord"));
    for (const order of orders) await reserve(order, [a, 2]);
    nowMs += 2 * ttlMs;
    const counts = await Promise.all([expire(), expire(), expire()]);
    expect(counts[0] + counts[1] + counts[2]).toBe(30);
    expect(await levels(a)).toEqual([[100, 0]]);
    expect(orders.map((order) => releasesOf(order).length)).toEqual(Array(30).fill(1));
  });

  test("does no more than it is asked to, the oldest first", async () => {
    const a = await freshSku(100);
    const orders = Array.from({ length: 5 }, () => fresh("ord"));
    for (const order of orders) {
      nowMs += 1;
      await reserve(order, [a, 1]);
    }
    nowMs += 2 * ttlMs;
    expect([await expire(3), await expire(3), await expire(3)]).toEqual([3, 2, 0]);
    const releases = told.filter(([event, id]) => event === "released" && orders.includes(id)).map(([, id]) => id);
    expect(releases).toEqual(orders);
  });

  test("leaves a reservation that somebody has in hand to him, without waiting", async () => {
    const [a, order] = [await freshSku(5), fresh("ord")];
    await reserve(order, [a, 1]);
    nowMs += 2 * ttlMs;
    await database.transaction("test.inHand", async (tx) => {
      await commitReservationIn(tx, deps, order);
      expect(await expire()).toBe(0);
    });
    expect(await expire()).toBe(0);
    expect(await levels(a)).toEqual([[4, 0]]);
  });

  test("reads the reservations that are held, not all there ever were", async () => {
    const plan = await database.query<{ key: string; type: string }>(
      "test.explain",
      `EXPLAIN SELECT reservations.order_id FROM reservations FORCE INDEX (reservations_held)
       LEFT JOIN known_orders ON known_orders.order_id = reservations.order_id
       WHERE reservations.held_at < ? AND known_orders.order_id IS NULL ORDER BY reservations.held_at LIMIT ?`,
      [new Date(nowMs), 100],
    );
    expect(plan).toMatchObject([
      { type: "range", key: "reservations_held" },
      { type: "eq_ref", key: "PRIMARY" },
    ]);
  });

  describe("of an order that turns out to exist after all:", () => {
    async function expired(onHand: number, quantity: number) {
      const [a, order] = [await freshSku(onHand), fresh("ord")];
      await reserve(order, [a, quantity]);
      nowMs += 2 * ttlMs;
      await expire();
      return { a, order };
    }

    test("its confirmation takes the stock all the same", async () => {
      const { a, order } = await expired(5, 2);
      await commit(order);
      await commit(order);
      expect(await levels(a)).toEqual([[3, 0]]);
    });

    test("its confirmation fails, and is heard of, when the stock is sold; nothing is sold twice", async () => {
      const { a, order } = await expired(5, 2);
      await reserve(fresh("ord"), [a, 4]);
      expect(await outcome(commit(order))).toBe("OUT_OF_STOCK");
      expect(await levels(a)).toEqual([[5, 4]]);
    });

    test("its cancellation is no second release, and its confirmation before that changes nothing any more", async () => {
      const { a, order } = await expired(5, 2);
      await release(order);
      await commit(order);
      expect(await levels(a)).toEqual([[5, 0]]);
      expect(releasesOf(order)).toHaveLength(1);
    });

    test("its late reservation is refused", async () => {
      const { a, order } = await expired(5, 2);
      expect(await outcome(reserve(order, [a, 2]))).toBe("RESERVATION_RELEASED");
    });

    test("sold after all and cancelled then, its stock comes back", async () => {
      const { a, order } = await expired(5, 2);
      await commit(order);
      await release(order);
      expect(await levels(a)).toEqual([[5, 0]]);
      expect(releasesOf(order)).toHaveLength(2);
    });
  });
});

test("seedStock() leaves what is there as it is", async () => {
  const a = await freshSku(5);
  await reserve(fresh("ord"), [a, 2]);
  await seedStock(database, [{ sku: a, onHand: 100 }]);
  expect(await levels(a)).toEqual([[5, 2]]);
});

describe("any sequence of reservations, confirmations, releases and sweeps", () => {
  const SKUS = 3;
  const ORDERS = 3;
  const line = fc.tuple(fc.nat(SKUS - 1), fc.integer({ min: 1, max: 3 }));
  const step = fc.record({
    order: fc.nat(ORDERS - 1),
    action: fc.oneof(
      fc.record({ kind: fc.constant("reserve" as const), lines: fc.array(line, { minLength: 1, maxLength: 3 }) }),
      fc.record({ kind: fc.constantFrom("commit" as const, "release" as const, "expire" as const) }),
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
      const isThere = (sku: string, quantity: number) => onHand(sku) - taken("HELD", sku) >= quantity;

      for (const { order, action } of steps) {
        const orderId = orders[order] ?? "";
        const known = model.get(orderId);
        if (action.kind === "reserve") {
          const lines = action.lines.map(([sku, quantity]): [string, number] => [skus[sku] ?? "", quantity]);
          const totals = totalBySku(lines.map(([sku, quantity]) => ({ sku, quantity })));
          const isEnough = totals.every(({ sku, quantity }) => isThere(sku, quantity));
          let expected = isEnough ? "ok" : "OUT_OF_STOCK";
          if (known?.state === "RELEASED" || known?.state === "EXPIRED") expected = "RESERVATION_RELEASED";
          else if (known)
            expected = JSON.stringify(known.lines) === JSON.stringify(totals) ? "ok" : "RESERVATION_DIFFERS";
          expect(await outcome(reserve(orderId, ...lines))).toBe(expected);
          if (!known && isEnough) model.set(orderId, { state: "HELD", lines: totals });
        } else if (action.kind === "commit") {
          const isSold =
            known?.state === "EXPIRED" && !known.lines.every(({ sku, quantity }) => isThere(sku, quantity));
          expect(await outcome(commit(orderId))).toBe(isSold ? "OUT_OF_STOCK" : known ? "ok" : "RESERVATION_NOT_FOUND");
          const isTaken = known?.state === "HELD" || (known?.state === "EXPIRED" && !isSold);
          if (isTaken) model.set(orderId, { ...known, state: "COMMITTED" });
        } else if (action.kind === "expire") {
          nowMs += 2 * ttlMs;
          await expire();
          for (const [id, it] of model) if (it.state === "HELD") model.set(id, { ...it, state: "EXPIRED" });
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
