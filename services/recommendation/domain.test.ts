import fc from "fast-check";
import { expect, test } from "vitest";
import { checkedSku, countPairs, countSkus, skusPerOrderMax } from "./domain.ts";

test("countPairs() counts each two products of an order once, from either side", () => {
  expect(countPairs([["A", "B", "A"], ["B", "A", "C"], ["D"], []])).toEqual([
    { of: { sku: "A", other: "B" }, count: 2 },
    { of: { sku: "A", other: "C" }, count: 1 },
    { of: { sku: "B", other: "A" }, count: 2 },
    { of: { sku: "B", other: "C" }, count: 1 },
    { of: { sku: "C", other: "A" }, count: 1 },
    { of: { sku: "C", other: "B" }, count: 1 },
  ]);
});

test("countPairs() is symmetric, and bounded however long an order is", () => {
  const order = fc.array(fc.integer({ min: 0, max: 40 }).map(String), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(order, { maxLength: 5 }), (orders) => {
      const pairs = countPairs(orders);
      const counts = new Map(pairs.map(({ of: { sku, other }, count }) => [`${sku} ${other}`, count]));
      for (const { of, count } of pairs) expect(counts.get(`${of.other} ${of.sku}`)).toBe(count);
      expect(pairs.length).toBeLessThanOrEqual(orders.length * skusPerOrderMax * (skusPerOrderMax - 1));
    }),
  );
});

test("countSkus() counts each SKU, sorted", () => {
  expect(countSkus(["B", "A", "B"])).toEqual([
    { of: "A", count: 1 },
    { of: "B", count: 2 },
  ]);
});

test("checkedSku() refuses what is no SKU", () => {
  expect(checkedSku("COF-A_1.b")).toBe("COF-A_1.b");
  for (const sku of ["", "a b", "é", "x".repeat(65)]) expect(() => checkedSku(sku)).toThrow("is no SKU");
});
