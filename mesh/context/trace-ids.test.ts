import { isSpanContextValid, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { expect, test } from "vitest";
import {
  formatTraceparent,
  isSampled,
  newTraceIds,
  otelContextOf,
  parseTraceparent,
  spanContextOf,
  traceIdsOf,
} from "./trace-ids.ts";

const traceparent = "00-fedcba98765432100123456789abcdef-80000000000000ff-01";

test.each([traceparent, traceparent.replace(/01$/, "00"), "00-00000000000000000000000000000001-0000000000000001-00"])(
  "%s comes out as it went in",
  (text) => {
    const ids = parseTraceparent(text);
    expect(ids && formatTraceparent(ids)).toBe(text);
    expect(ids && isSampled(ids)).toBe(text.endsWith("01"));
  },
);

test("OpenTelemetry reads the same", () => {
  const ids = parseTraceparent(traceparent, "vendor=1");
  if (ids === undefined) throw new Error("none");
  const carrier: Record<string, string> = {};
  const setter = {
    set: (to: Record<string, string>, key: string, value: string) => Object.assign(to, { [key]: value }),
  };
  new W3CTraceContextPropagator().inject(otelContextOf(ids), carrier, setter);
  expect(carrier).toEqual({ traceparent, tracestate: "vendor=1" });
  expect(traceIdsOf(otelContextOf(ids))).toEqual(ids);
});

test.each([
  [undefined],
  [null],
  [""],
  ["garbage"],
  [`ff${traceparent.slice(2)}`],
  [`${traceparent}-more`],
  [`${traceparent}0`],
  [traceparent.replaceAll("-", "0")],
  [`${traceparent.slice(0, 40)}-${traceparent.slice(41)}`],
  [traceparent.toUpperCase()],
  ["00-00000000000000000000000000000000-80000000000000ff-01"],
  ["00-fedcba98765432100123456789abcdef-0000000000000000-01"],
])("%s is no trace", (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test("a version to come may have more at its end", () => {
  expect(parseTraceparent(`01${traceparent.slice(2)}-more`)).toEqual(parseTraceparent(traceparent));
});

test.each([0, 0.25, 0.999_999_999])("a new trace is valid, whatever chance gives: %d", (chance) => {
  expect(isSpanContextValid(spanContextOf(newTraceIds(() => chance, 0)))).toBe(true);
  expect(trace.getSpanContext(otelContextOf(newTraceIds(() => chance, 1)))?.traceFlags).toBe(1);
});
