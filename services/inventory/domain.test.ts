import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { BadRequestSchema, ErrorInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { describe, expect, test } from "vitest";
import { assertSameReservation, effectOf, outOfStock, type ReservationState, totalBySku } from "./domain.ts";

test("totalBySku() adds up the lines of one SKU and sorts by SKU", () => {
  const lines = [
    { sku: "B", quantity: 2 },
    { sku: "A", quantity: 1 },
    { sku: "B", quantity: 3 },
  ];
  expect(totalBySku(lines)).toEqual([
    { sku: "A", quantity: 1 },
    { sku: "B", quantity: 5 },
  ]);
});

describe("effectOf()", () => {
  const table: [ReservationState, "COMMITTED" | "RELEASED", ReturnType<typeof effectOf>][] = [
    ["HELD", "COMMITTED", { onHand: -1, held: -1 }],
    ["HELD", "RELEASED", { onHand: 0, held: -1 }],
    ["COMMITTED", "RELEASED", { onHand: 1, held: 0 }],
    ["COMMITTED", "COMMITTED", undefined],
    ["RELEASED", "COMMITTED", undefined],
    ["RELEASED", "RELEASED", undefined],
  ];
  test.each(table)("from %s to %s is %o for each unit", (from, to, effect) => {
    expect(effectOf(from, to)).toEqual(effect);
  });
});

describe("assertSameReservation()", () => {
  const lines = [{ sku: "A", quantity: 1 }];
  const caught = (state: ReservationState, quantity: number) => {
    try {
      assertSameReservation({ orderId: "ord_1", state, lines: [{ sku: "A", quantity }] }, lines);
      return undefined;
    } catch (error) {
      return errorReason(ConnectError.from(error));
    }
  };
  test("accepts the same lines, held or sold", () => {
    expect([caught("HELD", 1), caught("COMMITTED", 1)]).toEqual([undefined, undefined]);
  });
  test("refuses a released order", () => expect(caught("RELEASED", 1)).toBe("RESERVATION_RELEASED"));
  test("refuses other lines", () => expect(caught("HELD", 2)).toBe("RESERVATION_DIFFERS"));
});

describe("outOfStock()", () => {
  test("names each short SKU, and the first line that asks for it, with wanted and available", () => {
    const lines = [
      { sku: "OK", quantity: 1 },
      { sku: "B", quantity: 2 },
      { sku: "B", quantity: 3 },
    ];
    const error = outOfStock(lines, [{ sku: "B", wanted: 5, available: 4n }]);
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("not enough stock of B (wanted 5, available 4)");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "OUT_OF_STOCK", metadata: { B: "wanted 5, available 4" } },
    ]);
    expect(error.findDetails(BadRequestSchema)).toMatchObject([
      { fieldViolations: [{ field: "lines[1].sku", description: "wanted 5, available 4" }] },
    ]);
  });

  test("names no more than 20, whose text fits into trailers", () => {
    const shortages = Array.from({ length: 30 }, (_, i) => ({ sku: `${i}`.repeat(32), wanted: 1, available: 0n }));
    const error = outOfStock(
      shortages.map(({ sku }) => ({ sku, quantity: 1 })),
      shortages,
    );
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(20);
    expect(error.rawMessage).toMatch(/ and 10 more$/);
  });
});
