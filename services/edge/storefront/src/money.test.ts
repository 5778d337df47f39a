import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MoneySchema } from "../../../../gen/shop/type/v1/money_pb.ts";
import { formatMoney, formatRoundMoney, times } from "./money.ts";

test.each([
  ["EUR", 0n, "€0.00"],
  ["EUR", 5n, "€0.05"],
  ["EUR", 890n, "€8.90"],
  ["EUR", -1990n, "-€19.90"],
  ["JPY", 1999n, "JP¥1,999"],
  ["KWD", 1234n, "KWD 1.234"],
  ["EUR", 900719925474099301n, "€9,007,199,254,740,993.01"],
])("%s %s is %s", (currencyCode, minorUnits, text) => {
  expect(formatMoney({ currencyCode, minorUnits }).replaceAll("\u00a0", " ")).toBe(text);
});

test("times() keeps the currency and multiplies exactly", () => {
  const price = create(MoneySchema, { currencyCode: "EUR", minorUnits: 1999n });
  expect(times(price, 1_000)).toEqual({ currencyCode: "EUR", minorUnits: 1_999_000n });
});

test.each([
  ["EUR", 150_000, "€1.5K"],
  ["EUR", -5_000, "-€50"],
  ["JPY", 2_000, "JP¥2K"],
  ["EUR", 0, "€0"],
])("in little room %s %i is %s", (currencyCode, minorUnits, text) => {
  expect(formatRoundMoney(currencyCode, minorUnits)).toBe(text);
});
