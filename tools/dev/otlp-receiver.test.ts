import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startOtlpReceiver } from "./otlp-receiver.ts";
import type { HttpServer } from "./outside/http.ts";
import type { ReceivedSpan } from "./outside/otlp.ts";
import { createTraceStore } from "./outside/traces.ts";

let receiver: HttpServer;
beforeEach(async () => {
  receiver = await startOtlpReceiver({ port: 0 });
});
afterEach(() => receiver[Symbol.asyncDispose]());

const read = async <Body>(path: string) => (await (await fetch(`${receiver.url}${path}`)).json()) as Body;

test("spans that OpenTelemetry's own exporter sends can be read by trace", async () => {
  const exporter = new OTLPTraceExporter({ url: `${receiver.url}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "order" }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("test");
  const parent = tracer.startSpan("PlaceOrder", { kind: SpanKind.SERVER, attributes: { lines: 3, retried: false } });
  const child = tracer.startSpan("Reserve", { kind: SpanKind.CLIENT }, trace.setSpan(ROOT_CONTEXT, parent));
  child.setAttribute("tags", ["a", "b"]).setStatus({ code: SpanStatusCode.ERROR, message: "sold out" }).end();
  parent.end(Date.now() + 5);
  await provider.forceFlush();
  await provider.shutdown();

  const { traceId, spanId } = parent.spanContext();
  const { spans } = await read<{ spans: ReceivedSpan[] }>(`/traces/${traceId}`);
  expect(spans).toMatchObject([
    {
      name: "PlaceOrder",
      kind: "server",
      service: "order",
      trace_id: traceId,
      parent_span_id: "",
      status_code: "unset",
    },
    { name: "Reserve", kind: "client", parent_span_id: spanId, status_code: "error", status_message: "sold out" },
  ]);
  expect(spans[0]?.attributes).toEqual({ lines: 3, retried: false });
  expect(spans[1]?.attributes).toEqual({ tags: ["a", "b"] });
  expect(BigInt(spans[0]?.end_ns ?? 0)).toBeGreaterThan(BigInt(spans[0]?.start_ns ?? 0));
  expect(await read("/traces?limit=1")).toMatchObject({
    traces: [{ trace_id: traceId, root: "PlaceOrder", service: "order", span_count: 2 }],
  });
});

test("an unknown trace has no spans, and bytes that are no protobuf are refused", async () => {
  expect(await read(`/traces/${"0".repeat(32)}`)).toEqual({ spans: [] });
  const refused = await fetch(`${receiver.url}/v1/traces`, { method: "POST", body: Buffer.from([0x0a, 0xff, 0x01]) });
  expect(refused.status).toBe(400);
});

test("the store keeps as many traces and spans as it is told, the newest traces first", () => {
  const store = createTraceStore({ traceCountMax: 2, spanCountPerTraceMax: 2 });
  for (const trace_id of ["a", "b", "a", "a", "c"]) store.add([spanOf(trace_id)]);
  expect(store.list(10).map((each) => [each.trace_id, each.span_count])).toEqual([
    ["c", 1],
    ["a", 2],
  ]);
  expect(store.spans("b")).toEqual([]);
});

function spanOf(trace_id: string): ReceivedSpan {
  const times = { start_ns: "1", end_ns: "2", status_code: "unset", status_message: "" } as const;
  return {
    trace_id,
    span_id: "1",
    parent_span_id: "",
    name: "n",
    kind: "internal",
    service: "s",
    ...times,
    attributes: {},
    links: [],
  };
}
