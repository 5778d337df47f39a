import { createServer } from "node:http";
import { ConnectError } from "@connectrpc/connect";
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { currentOtelContext, runAs } from "../context/call-context.ts";
import { newTraceIds, spanContextOf, type TraceIds } from "../context/trace-ids.ts";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { listen } from "../contract/listen.ts";
import type { Address } from "../contract/settings.ts";
import { type CallDurations, createCallMetrics } from "./call-durations.ts";
import { createLogger, type LogLevel, type SelectiveLogger } from "./logger.ts";
import { measureProcess } from "./process-metrics.ts";

/** Spans that wait for the collector; past it they are dropped, never held back the call. */
const spanQueueLengthMax = 4096;
/** How long a finished span waits for others to be sent with. */
const spanBatchDelayMs = 200;

export interface TelemetryOptions {
  readonly service: string;
  /** Base URL of an OTLP/HTTP collector, "http://127.0.0.1:4318". Without it spans are made but go nowhere. */
  readonly otlpUrl?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  /** Part of the traces that is recorded, 0 to 1, where no caller has decided. */
  readonly sampleRatio?: number | undefined;
  /** Where log lines go; standard output by default. */
  readonly write?: ((line: string) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** The context to be a child of; the ambient one by default. */
  readonly parent?: Context;
  readonly links?: Link[];
  /** unrecordedTrace() has decided that this one, the first of a trace, is recorded. */
  readonly decided?: boolean;
}

/** One service's logs, metrics and traces. Nothing global: several services can share a process. */
export interface Telemetry extends AsyncDisposable {
  readonly service: string;
  readonly logger: SelectiveLogger;
  readonly meter: Meter;
  /**
   * Durations of the calls of one method; the same ones for the same name and attributes. To be asked for once, not on the path of a
   * call.
   */
  callDurations(name: string, description: string, attributes: Attributes): CallDurations;
  /** Begins a trace: its ids if nobody records it, so that no span is needed; undefined if its first span is to be started. */
  unrecordedTrace(): TraceIds | undefined;
  /** Starts a span that the caller ends. */
  startSpan(name: string, options?: SpanOptions): Span;
  /** Runs fn with a new span ambient, ends the span with it and records its error. */
  span<T>(name: string, options: SpanOptions, fn: (span: Span) => Promise<T>): Promise<T>;
  /** The ambient span as W3C headers (traceparent, tracestate); empty if there is none. */
  inject(context?: Context): Record<string, string>;
  /** The context that W3C headers carry. */
  extract(headers: Readonly<Record<string, string>>): Context;
  /**
   * Serves the metrics in Prometheus' text format at http://address/metrics until disposed of.
   *
   * @param setting what changes the address, for the error when it is taken
   */
  serveMetrics(address: Address, setting?: string): Promise<AsyncDisposable>;
}

/** Creates a service's telemetry. Disposing of it sends what is still queued. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { service, clock = systemClock, random = Math.random, sampleRatio = 1 } = options;
  const resource = resourceFromAttributes({ "service.name": service, "process.pid": process.pid });
  const tracers = new TracerProvider({
    resource,
    // Of a trace that begins here, unrecordedTrace() decides.
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: options.otlpUrl === undefined ? [] : [exportTo(options.otlpUrl)],
  });
  const calls = createCallMetrics(resource, clock);
  const prometheus = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    metricProducers: [calls],
  });
  const meters = new MeterProvider({ resource, readers: [prometheus] });
  const tracer = tracers.getTracer("@weft/mesh");
  const meter = meters.getMeter("@weft/mesh");
  const processMetrics = measureProcess(meter);
  const propagator = new W3CTraceContextPropagator();

  const unrecordedTrace = (): TraceIds | undefined => (random() < sampleRatio ? undefined : newTraceIds(random, 0));
  const startSpan = (name: string, span: SpanOptions = {}): Span => {
    const { kind = SpanKind.INTERNAL, attributes, links } = span;
    const parent = span.parent ?? currentOtelContext();
    const caller = trace.getSpan(parent);
    // Of a trace that is not recorded, nobody sees the spans: the caller's serves as ours.
    if (caller && isUnsampled(caller)) return caller;
    if (!span.decided && !(caller && isSpanContextValid(caller.spanContext()))) {
      const ids = unrecordedTrace();
      if (ids) return trace.wrapSpanContext(spanContextOf(ids));
    }
    return tracer.startSpan(name, { kind, ...(attributes && { attributes }), ...(links && { links }) }, parent);
  };

  return {
    service,
    meter,
    logger: createLogger({
      service,
      clock,
      level: options.logLevel ?? "info",
      write: options.write ?? ((line) => process.stdout.write(line)),
    }),
    callDurations: calls.durations,
    unrecordedTrace,
    startSpan,
    async span(name, spanOptions, fn) {
      const ambient = currentOtelContext();
      const parent = spanOptions.parent ?? ambient;
      const caller = trace.getSpan(parent);
      // Nothing to end and nothing to replace: most calls are of a trace that is not recorded, and have a hundred spans.
      if (caller && parent === ambient && isUnsampled(caller)) return await fn(caller);
      const span = startSpan(name, spanOptions);
      const otel = withSpan(parent, span);
      try {
        return await runAs({ otel }, () => fn(span));
      } catch (error) {
        failSpan(span, error);
        throw error;
      } finally {
        span.end();
      }
    },
    inject(context = currentOtelContext()) {
      const headers: Record<string, string> = {};
      propagator.inject(context, headers, { set: (carrier, key, value) => Object.assign(carrier, { [key]: value }) });
      return headers;
    },
    extract: (headers) =>
      propagator.extract(ROOT_CONTEXT, headers, {
        get: (carrier, key) => carrier[key],
        keys: (carrier) => Object.keys(carrier),
      }),
    serveMetrics: (address, setting) => serveMetrics(prometheus, address, setting),
    async [Symbol.asyncDispose]() {
      processMetrics[Symbol.dispose]();
      // A collector that is away must not hold up the end of the process.
      await Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
    },
  };
}

/** A context in which a span is the current one. */
export function withSpan(context: Context, span: Span): Context {
  return trace.getSpan(context) === span ? context : trace.setSpan(context, span);
}

function isUnsampled(span: Span): boolean {
  const context = span.spanContext();
  return !span.isRecording() && isSpanContextValid(context) && !(context.traceFlags & TraceFlags.SAMPLED);
}

/**
 * Marks a span as failed. Only our own errors say more than their kind: a driver's text can hold what people typed
 * ("Duplicate entry 'ada@example.com'"), and traces are read by many.
 */
export function failSpan(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: spanMessage(error) });
}

function spanMessage(error: unknown): string {
  if (error instanceof ConnectError) return error.rawMessage;
  if (!(error instanceof Error)) return "unknown error";
  return "code" in error ? `${error.name} ${error.code}` : error.name;
}

function exportTo(otlpUrl: string): BatchSpanProcessor {
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: `${otlpUrl.replace(/\/$/, "")}/v1/traces`, timeoutMillis: 2_000 }),
    maxQueueSize: spanQueueLengthMax,
    scheduledDelayMillis: spanBatchDelayMs,
    exportTimeoutMillis: 2_500,
  });
}

async function serveMetrics(
  prometheus: PrometheusExporter,
  address: Address,
  setting = "the metrics address",
): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    if (request.url === "/metrics") prometheus.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end("metrics are at /metrics\n");
  });
  await listen(server, address, setting);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
