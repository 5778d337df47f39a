import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkLines, type PricedProduct, priceOrder, totalMinorUnitsMax } from "./pricing.ts";

const order = { orderId: "ord_1", userId: "usr_1" };

function products(...entries: [sku: string, minorUnits: bigint, currencyCode?: string][]) {
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

test("the total is the exact sum of the lines, whatever their size", () => {
  const line = fc.record({ minorUnits: fc.bigInt(0n, 999_999_999n), quantity: fc.integer({ min: 1, max: 10 }) });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 100 }), (lines) => {
      const priced = lines.map(({ minorUnits }, i): [string, bigint] => [`S${i}`, minorUnits]);
      const requested = lines.map(({ quantity }, i) => ({ sku: `S${i}`, quantity }));
      const event = priceOrder({ ...order, lines: requested }, products(...priced));
      const expected = lines.reduce((sum, { minorUnits, quantity }) => sum + minorUnits * BigInt(quantity), 0n);
      expect(event.total?.minorUnits).toBe(expected);
      expect(event.lines).toHaveLength(lines.length);
    }),
  );
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

test("a line in another currency than the first is named", () => {
  const lines = ["A", "B", "C"].map((sku) => ({ sku, quantity: 1 }));
  const mixed = products(["A", 1n], ["B", 1n, "USD"], ["C", 1n]);
  expect(fieldsOf(() => priceOrder({ ...order, lines }, mixed))).toEqual(["lines[1].sku"]);
});

test("an order that costs more than an amount may be is refused before it exists", () => {
  const lines = [{ sku: "A", quantity: 2 }];
  expect(fieldsOf(() => priceOrder({ ...order, lines }, products(["A", totalMinorUnitsMax])))).toEqual(["lines"]);
  expect(fieldsOf(() => priceOrder({ ...order, lines }, products(["A", totalMinorUnitsMax / 2n])))).toEqual([]);
});
