import { createServer } from "node:http";
import { Code } from "@connectrpc/connect";
import { isSpanContextValid, TraceFlags, trace } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { currentOtelContext } from "../context/call-context.ts";
import { isSampled } from "../context/trace-ids.ts";
import { rpcError } from "../contract/errors.ts";
import { listen } from "../contract/listen.ts";
import { createTelemetry } from "./telemetry.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, anyPort, "PORT");
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("metrics are at /metrics, in Prometheus' format, until they are disposed of", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  telemetry.meter.createCounter("weft.test.things").add(3, { kind: "good" });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/metrics`;
  {
    await using _metrics = await telemetry.serveMetrics({ ...anyPort, port });
    const text = await (await fetch(url)).text();
    expect(text).toContain('weft_test_things_total{kind="good"} 3');
    expect(text).toMatch(/^process_memory_usage \d+/m);
    expect((await fetch(`http://127.0.0.1:${port}/else`)).status).toBe(404);
  }
  await expect(fetch(url)).rejects.toThrow();
});

test("a metrics address that is taken is named with the setting that changes it", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const taken = createServer();
  const port = await listen(taken, anyPort, "PORT");
  await expect(telemetry.serveMetrics({ ...anyPort, port }, "WEFT_METRICS_ADDR")).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: is it in use? WEFT_METRICS_ADDR changes it`,
  );
  taken.close();
});

test("a span is ambient while it lasts, and its ids travel as W3C headers", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const parent = telemetry.extract({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` });
  const headers = await telemetry.span("order.place", { parent }, async (span) => {
    expect(trace.getSpan(currentOtelContext())).toBe(span);
    return telemetry.inject();
  });
  expect(headers.traceparent).toMatch(new RegExp(`^00-${"a".repeat(32)}-(?!b{16})[0-9a-f]{16}-01$`));
  expect(telemetry.inject()).toEqual({});
});

test("a caller who does not record his trace is believed", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const parent = telemetry.extract({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` });
  const span = telemetry.startSpan("order.place", { parent });
  expect(span.spanContext().traceFlags & TraceFlags.SAMPLED).toBe(0);
  expect(span.spanContext().traceId).toBe("a".repeat(32));
});

test.each([
  ["", {}],
  ["garbage", { traceparent: "garbage" }],
])("extract() of %j is no context", async (_name, headers) => {
  await using telemetry = createTelemetry({ service: "order" });
  expect(trace.getSpanContext(telemetry.extract(headers))).toBeUndefined();
});

test("span() passes on what its work returns and throws", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  expect(await telemetry.span("x", {}, async () => 7)).toBe(7);
  const error = rpcError(Code.NotFound, "no");
  await expect(telemetry.span("x", {}, () => Promise.reject(error))).rejects.toBe(error);
});

test("a collector that is away holds up neither calls nor the end", async () => {
  const telemetry = createTelemetry({ service: "order", otlpUrl: `http://127.0.0.1:${await freePort()}` });
  for (let n = 0; n < 10_000; n++) telemetry.startSpan("x").end();
  const startedAt = performance.now();
  await telemetry[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(8_000);
});

test("in a trace that is not recorded a span is its caller's: no context of its own, and the work's outcome is passed on", async () => {
  await using telemetry = createTelemetry({ service: "order", sampleRatio: 0 });
  await telemetry.span("call", {}, async (caller) => {
    const ambient = currentOtelContext();
    await telemetry.span("statement", {}, async (span) => {
      expect(span).toBe(caller);
      expect(currentOtelContext()).toBe(ambient);
    });
    await expect(telemetry.span("failing", {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    // Of another trace that is not recorded: it is the ambient one all the same.
    const other = telemetry.extract({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` });
    await telemetry.span("event", { parent: other }, async () => {
      expect(telemetry.inject().traceparent).toContain("a".repeat(32));
    });
  });
});

test("of traces that begin here the configured part is recorded, and the others go on under ids of their own", async () => {
  const chances = [0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.05];
  const random = () => chances.shift() ?? 0.5;
  await using telemetry = createTelemetry({ service: "order", sampleRatio: 0.1, random });
  const ids = telemetry.unrecordedTrace();
  expect(ids && isSampled(ids)).toBe(false);
  expect(telemetry.unrecordedTrace()).toBeUndefined();
  const span = telemetry.startSpan("order.place", { decided: true });
  expect(span.isRecording()).toBe(true);
  span.end();
  const undecided = telemetry.startSpan("order.place");
  expect([undecided.isRecording(), isSpanContextValid(undecided.spanContext())]).toEqual([false, true]);
});
