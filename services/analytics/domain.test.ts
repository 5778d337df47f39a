import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkedFact, type Fact, firstDayOf, type OrderSale, rollUp, type Sales } from "./domain.ts";

const at = (text: string) => new Date(`${text}Z`);
let ids = 0;
const fact = (kind: string, aggregateId: string, more: Partial<Fact> = {}): Fact => ({
  ...{ eventId: `e${ids++}`, kind, aggregateId, occurredAt: at("2026-11-22T10:20:30.400") },
  ...more,
});

test("rollUp() counts events by day and kind", () => {
  const late = at("2026-11-23T00:00:00.000");
  const facts = [
    fact("ProductViewed", "A"),
    fact("ProductViewed", "B"),
    fact("OrderPlaced", "o1", { occurredAt: late }),
  ];
  expect(rollUp(facts, []).funnel).toEqual([
    { day: "2026-11-22", kind: "ProductViewed", events: 2 },
    { day: "2026-11-23", kind: "OrderPlaced", events: 1 },
  ]);
});

test("rollUp() adds money by minute and currency, captured and refunded apart", () => {
  const amount = (currencyCode: string, minorUnits: bigint) => ({ amount: { currencyCode, minorUnits } });
  const facts = [
    fact("PaymentCaptured", "o1", amount("EUR", 1_000_000_000_000n)),
    fact("PaymentCaptured", "o2", amount("EUR", 1n)),
    fact("PaymentRefunded", "o1", amount("EUR", 5n)),
    fact("PaymentCaptured", "o3", amount("JPY", 7n)),
    fact("PaymentAuthorized", "o4", amount("EUR", 9n)),
  ];
  const minute = at("2026-11-22T10:20:00");
  expect(rollUp(facts, []).revenue).toEqual([
    { currencyCode: "EUR", minute, captured: 1_000_000_000_001n, refunded: 5n },
    { currencyCode: "JPY", minute, captured: 7n, refunded: 0n },
  ]);
});

describe("sales", () => {
  const confirmed = fact("OrderConfirmed", "o1", {
    lines: [
      ["A", 2],
      ["B", 1],
      ["A", 1],
    ],
  });
  const cancelled = fact("OrderCancelled", "o1", { occurredAt: at("2026-11-24T00:00:00") });

  test("count what was confirmed, each product once a day", () => {
    expect(rollUp([confirmed], []).sales).toEqual([
      { day: "2026-11-22", sku: "A", quantity: 3 },
      { day: "2026-11-22", sku: "B", quantity: 1 },
    ]);
  });

  test("lose what is cancelled, on the day of the sale, once", () => {
    const { orders } = rollUp([confirmed], []);
    const first = rollUp([cancelled], orders);
    expect(first.sales).toEqual([
      { day: "2026-11-22", sku: "A", quantity: -3 },
      { day: "2026-11-22", sku: "B", quantity: -1 },
    ]);
    expect(rollUp([cancelled], first.orders).sales).toEqual([]);
  });

  test("never count an order that was cancelled without being confirmed, or before that was heard of", () => {
    const { orders, sales } = rollUp([cancelled], []);
    expect([sales, rollUp([confirmed], orders).sales]).toEqual([[], []]);
  });

  test("come out the same whatever the order of events and however they are spread over roll-ups", () => {
    const orderEvents = fc.record({
      order: fc.integer({ min: 0, max: 5 }),
      kind: fc.constantFrom("OrderConfirmed", "OrderCancelled", "OrderPlaced"),
    });
    fc.assert(
      fc.property(
        fc.array(orderEvents, { maxLength: 30 }),
        fc.array(fc.nat()),
        fc.integer({ min: 1, max: 9 }),
        (events, keys, size) => {
          const facts = events.map(({ order, kind }) =>
            fact(
              kind,
              `o${order}`,
              kind === "OrderConfirmed"
                ? {
                    lines: [
                      ["A", order + 1],
                      [`S${order}`, 1],
                    ],
                  }
                : {},
            ),
          );
          const shuffled = facts.map((one, i) => ({ one, key: keys[i] ?? i })).sort((a, b) => a.key - b.key);
          const known = new Map<string, OrderSale>();
          const total = new Map<string, number>();
          for (let from = 0; from < shuffled.length; from += size) {
            const { orders, sales } = rollUp(
              shuffled.slice(from, from + size).map(({ one }) => one),
              [...known.values()],
            );
            for (const order of orders) known.set(order.orderId, order);
            for (const { sku, quantity } of sales) total.set(sku, (total.get(sku) ?? 0) + quantity);
          }
          expect(nonZero(total)).toEqual(nonZero(soldOf(events)));
        },
      ),
    );
  });
});

/** What remains sold, worked out from the set of events alone. */
function soldOf(events: readonly { order: number; kind: string }[]): Map<string, number> {
  const of = (kind: string) => new Set(events.filter((event) => event.kind === kind).map(({ order }) => order));
  const sold = new Map<string, number>();
  const cancelled = of("OrderCancelled");
  for (const order of of("OrderConfirmed")) {
    if (cancelled.has(order)) continue;
    sold.set("A", (sold.get("A") ?? 0) + order + 1);
    sold.set(`S${order}`, 1);
  }
  return sold;
}

function nonZero(quantities: Map<Sales["sku"], number>): [string, number][] {
  return [...quantities].filter(([, quantity]) => quantity !== 0).sort();
}

test("firstDayOf() counts today as one of the days", () => {
  expect(firstDayOf(Date.parse("2026-11-22T00:00:00Z"), 1)).toBe("2026-11-22");
  expect(firstDayOf(Date.parse("2026-11-22T23:59:59Z"), 30)).toBe("2026-10-24");
});

test("checkedFact() refuses what the sums could not take", () => {
  expect(() => checkedFact(fact("OrderConfirmed", "o", { lines: [["no good", 1]] }))).toThrow("no order line");
  expect(() => checkedFact(fact("OrderConfirmed", "o", { lines: [["A", 0]] }))).toThrow("no order line");
  expect(() => checkedFact(fact("PaymentCaptured", "o"))).toThrow("without an amount");
});
