import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { RevenueMinuteSchema } from "../../../../gen/shop/api/v1/report_pb.ts";
import { type Span, scaleOf, spansOf, sumOf } from "./revenue.ts";

const fromMs = Date.parse("2026-11-22T00:00:00Z");
const money = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });
const minuteAt = (minute: number, captured: bigint, refunded = 0n) =>
  create(RevenueMinuteSchema, {
    minute: timestampFromMs(fromMs + minute * 60_000),
    ...{ captured: money(captured), refunded: money(refunded) },
  });

test("minutes add up to hours, and none is lost or counted twice", () => {
  const minutes = [minuteAt(0, 1n), minuteAt(59, 2n), minuteAt(60, 4n, 3n), minuteAt(1_439, 8n), minuteAt(1_440, 16n)];
  const hours = spansOf(minutes, { fromMs, spanMs: 3_600_000, count: 24 });
  expect(hours).toHaveLength(24);
  expect(hours.map(({ captured }) => captured).filter((each) => each > 0n)).toEqual([3n, 4n, 8n]);
  expect(hours[1]).toEqual({ fromMs: fromMs + 3_600_000, captured: 4n, refunded: 3n });
  expect(sumOf(hours)).toEqual({ captured: 15n, refunded: 3n });
});

const span = (captured: bigint, refunded = 0n): Span => ({ fromMs, captured, refunded });

test.each<[string, Span[], number[]]>([
  ["nothing", [span(0n)], [0, 100]],
  ["a little", [span(250n)], [0, 100, 200, 300]],
  ["an ordinary hour", [span(13_370n), span(2n)], [0, 5_000, 10_000, 15_000]],
  ["a power of ten", [span(400_000n)], [0, 100_000, 200_000, 300_000, 400_000]],
  ["a refund", [span(10_000n, 4_000n)], [-5_000, 0, 5_000, 10_000]],
  ["nothing but a refund", [span(0n, 4_000n)], [-4_000, -2_000, 0, 2_000]],
])("the axis for %s has few round numbers, and holds all", (_what, spans, ticks) => {
  const scale = scaleOf(spans, 100);
  expect([...scale.ticks]).toEqual(ticks);
  expect([scale.min, scale.max]).toEqual([ticks[0], ticks.at(-1)]);
});
