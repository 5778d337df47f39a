import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkLines, type PricedProduct, priceOrder, totalMinorUnitsMax } from "./pricing.ts";

const order = { orderId: "ord_1", userId: "usr_1" };

function products(...entries: (readonly [sku: string, minorUnits: bigint, currencyCode?: string])[]) {
  return new Map<string, PricedProduct>(
    entries.map(([sku, minorUnits, currencyCode = "EUR"]) => [
      sku,
      { sku, name: `name of ${sku}`, price: { currencyCode, minorUnits } },
    ]),
  );
}

function fieldsOf(fn: () => unknown): string[] {
  try {
    fn();
  } catch (error) {
    const details = ConnectError.from(error).findDetails(BadRequestSchema);
    return details.flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
  }
  return [];
}

function codeOf(fn: () => unknown): Code | undefined {
  try {
    fn();
  } catch (error) {
    return ConnectError.from(error).code;
  }
  return undefined;
}

const currencies = ["EUR", "USD", "JPY"] as const;

/** A cart: products of three currencies, or mostly of one. */
const carts = fc.constantFrom(["EUR"], ["USD"], ["JPY"], currencies).chain((of) =>
  fc.array(
    fc.record({
      minorUnits: fc.oneof(fc.bigInt(0n, 5_000n), fc.bigInt(0n, totalMinorUnitsMax)),
      quantity: fc.integer({ min: 1, max: 1_000 }),
      currencyCode: fc.constantFrom(...of),
    }),
    { minLength: 1, maxLength: 100 },
  ),
);

test("a random cart in three currencies: the exact sum in the one currency, or an error that names what does not fit", () => {
  const seen = { sums: 0, mixed: 0, tooLarge: 0 };
  const property = fc.property(carts, (cart) => {
    const known = products(
      ...cart.map(({ minorUnits, currencyCode }, i) => [`S${i}`, minorUnits, currencyCode] as const),
    );
    const lines = cart.map(({ quantity }, i) => ({ sku: `S${i}`, quantity }));
    const first = cart[0]?.currencyCode ?? "";
    const others = cart.flatMap(({ currencyCode }, i) => (currencyCode === first ? [] : [i]));
    const sum = cart.reduce((all, { minorUnits, quantity }) => all + minorUnits * BigInt(quantity), 0n);
    const price = () => priceOrder({ ...order, lines }, known);
    if (others.length > 0) {
      seen.mixed += 1;
      expect(fieldsOf(price)).toEqual(others.map((i) => `lines[${i}].sku`));
      expect(price).toThrow(`S${others[0]} costs ${cart[others[0] ?? 0]?.currencyCode}, the first line ${first}`);
      expect(codeOf(price)).toBe(Code.FailedPrecondition);
    } else if (sum > totalMinorUnitsMax) {
      seen.tooLarge += 1;
      expect([codeOf(price), fieldsOf(price)]).toEqual([Code.InvalidArgument, ["lines"]]);
    } else {
      seen.sums += 1;
      const event = price();
      expect(event.total).toMatchObject({ currencyCode: first, minorUnits: sum });
      expect(event.lines.map(({ sku, quantity }) => ({ sku, quantity }))).toEqual(lines);
    }
  });
  fc.assert(property, { numRuns: 300 });
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
});

test("the largest order that the contract allows to ask for is added up within 64 bits before it is refused", () => {
  const lines = Array.from({ length: 100 }, (_, i) => ({ sku: `S${i}`, quantity: 1_000 }));
  const dearest = products(...lines.map(({ sku }) => [sku, totalMinorUnitsMax] as const));
  expect(() => priceOrder({ ...order, lines }, dearest)).toThrow(`costs ${100n * 1_000n * totalMinorUnitsMax} minor`);
  expect(100n * 1_000n * totalMinorUnitsMax).toBeLessThan(2n ** 63n);
});

test("a product that is named twice is refused, naming each repetition", () => {
  const lines = ["A", "B", "A", "A"].map((sku) => ({ sku, quantity: 1 }));
  expect(fieldsOf(() => checkLines(lines))).toEqual(["lines[2].sku", "lines[3].sku"]);
  expect(fieldsOf(() => checkLines(lines.slice(0, 2)))).toEqual([]);
});

test("products that the catalog does not have are named by their lines", () => {
  const lines = ["A", "X", "B", "Y"].map((sku) => ({ sku, quantity: 1 }));
  const known = products(["A", 1n], ["B", 1n]);
  expect(fieldsOf(() => priceOrder({ ...order, lines }, known))).toEqual(["lines[1].sku", "lines[3].sku"]);
});

test("an order that costs more than an amount may be is refused before it exists", () => {
  const lines = [{ sku: "A", quantity: 2 }];
  expect(fieldsOf(() => priceOrder({ ...order, lines }, products(["A", totalMinorUnitsMax])))).toEqual(["lines"]);
  expect(fieldsOf(() => priceOrder({ ...order, lines }, products(["A", totalMinorUnitsMax / 2n])))).toEqual([]);
});
