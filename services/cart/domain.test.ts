import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Cart,
  emptied,
  linesMax,
  lossNotices,
  merged,
  noCart,
  type Product,
  priced,
  withItem,
  withoutOrdered,
} from "./domain.ts";

const product = (sku: string, minorUnits = 100n, currencyCode = "EUR"): Product => ({
  ...{ sku, name: `name of ${sku}` },
  price: { currencyCode, minorUnits },
});
const put = (cart: Cart, sku: string, quantity: number, nowMs = 1, minorUnits = 100n) =>
  withItem(cart, { sku, quantity, product: product(sku, minorUnits) }, nowMs);
const cartOf = (...items: readonly (readonly [string, number])[]) =>
  items.reduce((cart, [sku, quantity]) => put(cart, sku, quantity), noCart);
const quantities = ({ lines }: Pick<Cart, "lines">) => lines.map(({ sku, quantity }) => [sku, quantity]);
const products = (...all: Product[]) => new Map(all.map((each) => [each.sku, each]));

describe("withItem()", () => {
  test.each([
    [
      "puts in",
      "pear",
      2,
      [
        ["apple", 1],
        ["pear", 2],
      ],
    ],
    ["changes in place", "apple", 5, [["apple", 5]]],
    ["takes out", "apple", 0, []],
    ["leaves as it is", "apple", 1, [["apple", 1]]],
    ["takes out what is not there", "pear", 0, [["apple", 1]]],
  ])("%s", (_name, sku, quantity, lines) => {
    const before = cartOf(["apple", 1]);
    const after = put(before, sku, quantity, 2);
    expect(quantities(after)).toEqual(lines);
    expect(after.version).toBe(after === before ? 1 : 2);
  });

  test("refuses one product too many, not a change of one that is there", () => {
    const full = cartOf(...Array.from({ length: linesMax }, (_, index) => [`sku-${index}`, 1] as const));
    expect(() => put(full, "one-more", 1)).toThrow(expect.objectContaining({ code: Code.FailedPrecondition }));
    expect(put(full, "sku-3", 9).lines[3]?.quantity).toBe(9);
  });
});

describe("merged()", () => {
  test("of a product in both the larger quantity stays", () => {
    const { cart, set } = merged(cartOf(["a", 1], ["b", 5]), cartOf(["a", 3], ["b", 2], ["c", 1]), 9);
    expect(quantities(cart)).toEqual([
      ["a", 3],
      ["b", 5],
      ["c", 1],
    ]);
    expect(set.map(({ sku }) => sku)).toEqual(["a", "c"]);
  });

  test("says what did not fit", () => {
    const full = cartOf(...Array.from({ length: linesMax }, (_, index) => [`sku-${index}`, 1] as const));
    const { cart, left } = merged(full, cartOf(["sku-0", 4], ["x", 1]), 9);
    expect([cart.lines.length, cart.lines[0]?.quantity, left.map(({ sku }) => sku)]).toEqual([linesMax, 4, ["x"]]);
  });

  test("twice is as once", () => {
    const items = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.integer({ min: 1, max: 9 })));
    fc.assert(
      fc.property(items, items, (mine, others) => {
        const once = merged(cartOf(...mine), cartOf(...others), 9).cart;
        expect(merged(once, cartOf(...others), 10).cart).toBe(once);
      }),
    );
  });
});

test("withoutOrdered() leaves what was put in after the order", () => {
  const cart = put(put(noCart, "before", 1, 10), "after", 1, 30);
  const left = withoutOrdered(cart, 20, 40);
  expect(quantities(left)).toEqual([["after", 1]]);
  expect(withoutOrdered(left, 20, 50)).toBe(left);
});

test("emptied() keeps the version going", () => {
  expect(emptied(cartOf(["a", 1], ["b", 1]), 5)).toEqual({ version: 3, updatedAtMs: 5, lines: [] });
});

describe("priced()", () => {
  test("a random cart in three currencies adds up exactly in the one that it has, or names those that it has", () => {
    const line = fc.record({
      quantity: fc.integer({ min: 1, max: 1_000 }),
      minorUnits: fc.bigInt({ min: 0n, max: 1_000_000_000_000n }),
    });
    const carts = fc
      .constantFrom(["EUR"], ["USD"], ["JPY"], ["EUR", "USD", "JPY"])
      .chain((of) => fc.array(fc.tuple(line, fc.constantFrom(...of)), { minLength: 1, maxLength: linesMax }));
    fc.assert(
      fc.property(carts, (lines) => {
        const cart = cartOf(...lines.map(([{ quantity }], index) => [`sku-${index}`, quantity] as const));
        const today = products(
          ...lines.map(([{ minorUnits }, currencyCode], index) => product(`sku-${index}`, minorUnits, currencyCode)),
        );
        const { total, notices } = priced(cart, today);
        const currencies = [...new Set(lines.map(([, currencyCode]) => currencyCode))];
        const minorUnits = lines.reduce((sum, [each]) => sum + BigInt(each.quantity) * each.minorUnits, 0n);
        expect(minorUnits).toBeLessThan(2n ** 63n);
        if (currencies.length === 1) expect(total).toEqual({ currencyCode: currencies[0], minorUnits });
        else {
          expect(total).toBeUndefined();
          expect(notices.at(-1)).toContain(`(${currencies.join(", ")})`);
        }
      }),
    );
  });

  test("says which price has changed and what is no longer sold, and leaves that out of the total", () => {
    const cart = cartOf(["a", 2], ["b", 1], ["c", 1]);
    const { lines, total, notices } = priced(cart, products(product("a", 150n), product("b")), ["Hello."]);
    expect(total).toEqual({ currencyCode: "EUR", minorUnits: 400n });
    expect(lines[2]).toEqual({ sku: "c", name: "name of c", quantity: 1, unitPrice: undefined });
    expect(notices).toEqual([
      "Hello.",
      "The price of name of a has changed since you put it in.",
      "name of c is no longer sold.",
    ]);
  });

  test("without the catalog there are no names, no prices, no total, and a notice", () => {
    const { lines, total, notices } = priced(cartOf(["a", 2]), undefined);
    expect([lines, total]).toEqual([[{ sku: "a", quantity: 2, name: "", unitPrice: undefined }], undefined]);
    expect(notices.join()).toMatch(/prices are not available/);
    expect(priced(noCart, undefined).notices).toEqual([]);
  });
});

test.each([
  [0, 0n, 0],
  [3, 0n, 0],
  [3, 3n, 0],
  [0, 1n, 1],
  [1, 3n, 1],
])("lossNotices(): version %s where %s was seen: %s", (version, expected, count) => {
  expect(lossNotices({ ...noCart, version }, expected)).toHaveLength(count);
});
