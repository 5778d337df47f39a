import { beforeAll, describe, expect, test } from "vitest";
import { apply, type Order } from "../../../services/order/domain.ts";
import { nextAction } from "../../../services/payment/domain.ts";
import { SEED_PRODUCTS } from "../seed-data.ts";
import { recordPast } from "./past-ledger.ts";
import { HISTORY_DAYS, type History, planHistory } from "./plan.ts";

// A Sunday at noon.
const UNTIL_MS = Date.parse("2026-11-22T12:00:00Z");
const DAY_MS = 86_400_000;

let history: History;
beforeAll(() => {
  history = planHistory(SEED_PRODUCTS, UNTIL_MS);
});

const placedAt = ({ order }: History["orders"][number]) => order.history[0]?.enteredAt ?? new Date(0);
const countBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
};
const descending = (counts: Map<string, number>) => [...counts.values()].sort((a, b) => b - a);

test("the same end is the same history, to the last character; another end is another", () => {
  const again = planHistory(SEED_PRODUCTS, UNTIL_MS);
  expect(again).toEqual(history);
  const later = planHistory(SEED_PRODUCTS, UNTIL_MS + 1);
  expect(later.orders[0]?.order.orderId).not.toBe(history.orders[0]?.order.orderId);
  expect(later.orders).toHaveLength(history.orders.length);
});

describe("customers", () => {
  test("have names and addresses of their own, at domains where nobody lives", () => {
    const { customers } = history;
    expect(customers.length).toBeGreaterThanOrEqual(300);
    expect(new Set(customers.map(({ email }) => email)).size).toBe(customers.length);
    const isGood = /^[a-z]+(\.[a-z]+)?\d*@(example\.(com|org|net)|shop\.test)$/;
    expect(customers.filter(({ email }) => !isGood.test(email))).toEqual([]);
    expect(customers.filter(({ displayName }) => !/^\p{Lu}[\p{L}’]+ \p{Lu}[\p{L}’]+$/u.test(displayName))).toEqual([]);
  });

  test("have registered before they buy, some of them only lately", () => {
    const registered = new Map(history.customers.map(({ userId, registeredAt }) => [userId, registeredAt]));
    const early = history.orders.filter((past) => placedAt(past) <= (registered.get(past.order.userId) ?? new Date(0)));
    expect(early).toEqual([]);
    expect(history.facts.filter(({ kind }) => kind === "UserRegistered").length).toBeGreaterThan(50);
  });
});

describe("orders", () => {
  test("are folds of events that follow each other, within the thirty days", () => {
    expect(history.orders.length).toBeGreaterThanOrEqual(2_000);
    for (const { order, events } of history.orders) {
      const folded = events.reduce<Order | undefined>(
        (row, { event, occurredAt }) => apply(row, event, occurredAt),
        undefined,
      );
      expect(order).toEqual(folded);
      const times = events.map(({ occurredAt }) => occurredAt.getTime());
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times[0]).toBeGreaterThanOrEqual(UNTIL_MS - HISTORY_DAYS * DAY_MS);
      expect(times.at(-1)).toBeLessThan(UNTIL_MS);
    }
  });

  test("need nobody to act on them: no saga, no payment, no held stock", () => {
    for (const { order, payment, reservation } of history.orders) {
      expect(["PAID", "SHIPPED", "DELIVERED", "CANCELLED"]).toContain(order.state);
      expect(nextAction(payment)).toBe("nothing");
      expect(reservation.state).toBe(order.state === "CANCELLED" ? "RELEASED" : "COMMITTED");
    }
  });

  test("are mostly delivered; what was sold of late is on its way; a few were cancelled, for every reason there is", () => {
    const states = countBy(history.orders, ({ order }) => order.state);
    const share = (state: string) => (states.get(state) ?? 0) / history.orders.length;
    expect(share("DELIVERED")).toBeGreaterThan(0.7);
    expect(share("SHIPPED")).toBeGreaterThan(0.01);
    expect(share("PAID")).toBeGreaterThan(0.01);
    expect(share("CANCELLED")).toBeGreaterThan(0.04);
    expect(share("CANCELLED")).toBeLessThan(0.12);
    const cancelled = history.orders.filter(({ order }) => order.state === "CANCELLED");
    const reasons = countBy(cancelled, ({ order }) => order.cancelReason.replace(/^(out of stock): .*/, "$1"));
    expect([...reasons.keys()].sort()).toEqual([
      "cancelled by the customer",
      "not paid in time",
      "out of stock",
      "payment declined: insufficient funds",
      "payment failed: authorization expired",
    ]);
    // On the evening when the payment provider was away, some were paid after all.
    const late = history.orders.filter(({ order }) => order.history.some(({ state }) => state === "AWAITING_PAYMENT"));
    expect(late.some(({ order }) => order.state === "DELIVERED")).toBe(true);
  });

  test("agree with what the provider remembers, to the cent", async () => {
    const records = await recordPast(history.orders.flatMap(({ requests }) => requests));
    const sums = new Map<string, Record<string, number>>();
    for (const { entry } of records) {
      if (entry === undefined) continue;
      const sum = sums.get(entry.reference) ?? { authorize: 0, capture: 0, void: 0, refund: 0 };
      sums.set(entry.reference, { ...sum, [entry.type]: (sum[entry.type] ?? 0) + entry.amount });
    }
    for (const { order, payment } of history.orders) {
      const { authorize = 0, capture = 0, void: voided = 0, refund = 0 } = sums.get(order.orderId) ?? {};
      const isPaid = order.state !== "CANCELLED";
      expect(capture - refund).toBe(isPaid ? Number(order.total.minorUnits) : 0);
      if (!isPaid) expect(authorize - voided - capture).toBe(0);
      expect(payment.state === "CAPTURED").toBe(isPaid);
    }
  });
});

describe("the plots have a shape:", () => {
  test("evenings and Sundays are busy, nights are not", () => {
    const hours = countBy(history.orders, (past) => String(placedAt(past).getUTCHours()));
    expect(hours.get("20")).toBeGreaterThan(5 * (hours.get("3") ?? 0));
    const days = countBy(history.orders, (past) => String(placedAt(past).getUTCDay()));
    // Of Sundays, the last is half a day.
    expect((days.get("0") ?? 0) / 4.5).toBeGreaterThan(1.2 * ((days.get("5") ?? 0) / 4.5));
  });

  test("few products sell much, many sell a little", () => {
    const lines = history.orders.flatMap(({ order }) => order.lines);
    const sold = descending(countBy(lines, ({ sku }) => sku));
    const share = (count: number) => sold.slice(0, count).reduce((sum, each) => sum + each, 0) / lines.length;
    expect(sold.length).toBeGreaterThan(1_000);
    expect(share(20)).toBeGreaterThan(0.12);
    expect(share(20)).toBeLessThan(0.4);
  });

  test("some things are bought together far more often than chance would have it", () => {
    const pairs = history.orders.flatMap(({ order: { lines } }) =>
      lines.flatMap(({ sku }) => lines.filter((other) => other.sku > sku).map((other) => `${sku} ${other.sku}`)),
    );
    expect(descending(countBy(pairs, (pair) => pair))[5]).toBeGreaterThanOrEqual(6);
  });

  test("nothing is sold that was not on the shelf, and nearly a third of it stays there", () => {
    const sold = new Map<string, number>();
    for (const { reservation } of history.orders) {
      if (reservation.state !== "COMMITTED") continue;
      for (const { sku, quantity } of reservation.lines) sold.set(sku, (sold.get(sku) ?? 0) + quantity);
    }
    const bare = SEED_PRODUCTS.filter(({ sku, stock }) => stock - (sold.get(sku) ?? 0) < stock * 0.3);
    expect(bare).toEqual([]);
  });

  test("more is looked at than put into carts, and more put into carts than bought", () => {
    const told = [...history.facts, ...history.orders.flatMap(({ facts }) => facts)];
    const kinds = countBy(told, ({ kind }) => kind);
    expect(kinds.get("ProductViewed")).toBeGreaterThan(2 * (kinds.get("CartUpdated") ?? 0));
    expect(kinds.get("CartUpdated")).toBeGreaterThan(kinds.get("OrderPlaced") ?? 0);
    expect(kinds.get("OrderPlaced")).toBeGreaterThan(kinds.get("OrderPaid") ?? 0);
    expect(new Set(told.map(({ eventId }) => eventId)).size).toBe(told.length);
  });
});
