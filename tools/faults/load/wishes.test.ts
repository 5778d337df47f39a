import { expect, test } from "vitest";
import { seededRandom } from "../../dev/history/chance.ts";
import { createWishes } from "./wishes.ts";

const many = (seed: number) => {
  const next = createWishes(seededRandom(seed));
  return Array.from({ length: 2_000 }, next);
};

test("the same seed wishes the same, another seed something else", () => {
  expect(many(1)).toEqual(many(1));
  expect(many(1)).not.toEqual(many(2));
});

test("wishes hold every kind, every means of payment, and products that are fought for", () => {
  const wishes = many(3);
  expect(new Set(wishes.map(({ kind }) => kind)).size).toBe(4);
  const orders = wishes.filter((wish) => wish.kind === "placeOrder");
  expect(new Set(orders.map(({ paymentMethod }) => paymentMethod)).size).toBe(4);
  const counts = Map.groupBy(
    orders.flatMap(({ lines }) => lines),
    ({ sku }) => sku,
  );
  const most = Math.max(...[...counts.values()].map((lines) => lines.length));
  expect(most).toBeGreaterThan(30);
  for (const { lines } of orders) expect(new Set(lines.map(({ sku }) => sku)).size).toBe(lines.length);
});
