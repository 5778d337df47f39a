import type { ConnectError } from "@connectrpc/connect";
import { type Attributes, ROOT_CONTEXT, type Span, SpanKind } from "@opentelemetry/api";
import type { CallContext } from "../context/call-context.ts";
import { type TraceIds, traceIdsOf } from "../context/trace-ids.ts";
import { statusName } from "../contract/grpc-status.ts";
import type { CallDurations } from "../telemetry/call-durations.ts";
import { failSpan, type Telemetry, withSpan } from "../telemetry/telemetry.ts";
import type { CalledMethod } from "./called-method.ts";

/** What is noted of one outgoing call. */
export interface ObservedCall {
  readonly called: CalledMethod;
  /** Monotonic. */
  readonly startedAtMs: number;
  /** Of a trace that is recorded; undefined for most. */
  span: Span | undefined;
  /** Where the called service's work belongs. */
  trace: TraceIds | undefined;
}

/** The client's RED metrics and spans, named as OpenTelemetry's RPC conventions have them. */
export interface ClientObserver {
  durationsOf(path: string): CallDurations;
  /** Sets the call's span, if its trace is recorded, and its place in the trace. */
  begin(call: ObservedCall, ambient: CallContext | undefined): void;
  /** Another attempt is about to wait. */
  retry(call: ObservedCall, attempt: number, delayMs: number): void;
  /** A second attempt leaves while the first is under way. */
  hedge(call: ObservedCall): void;
  /** Records the outcome; once. @param endedAtMs monotonic */
  end(call: ObservedCall, endedAtMs: number, error: ConnectError | undefined): void;
}

/** Creates what observes the calls to a service. @param target the called service's name */
export type CreateObserver = (target: string) => ClientObserver;

/** Creates the metrics of a client; once for each mesh. */
export function createClientObservers(telemetry: Telemetry): CreateObserver {
  const retries = telemetry.meter.createCounter("weft.client.retries", { description: "Attempts after the first" });
  const hedges = telemetry.meter.createCounter("weft.client.hedges", {
    description: "Second attempts of calls whose first took long",
  });
  const fallbacks = telemetry.meter.createCounter("weft.client.fallbacks", {
    description: "Calls whose answer the caller did without",
  });
  return (target) => {
    const attributesOf = (path: string): Attributes => ({
      "rpc.system.name": "grpc",
      "rpc.method": path,
      "server.address": target,
    });
    const startSpan = (call: ObservedCall, ambient: CallContext | undefined): void => {
      const { path } = call.called.policy;
      const parent = ambient?.otel ?? ROOT_CONTEXT;
      // A root that comes as far as here is recorded: see begin().
      const decided = ambient === undefined || parent === ROOT_CONTEXT;
      const options = { kind: SpanKind.CLIENT, attributes: attributesOf(path), parent, decided };
      const span = telemetry.startSpan(path, options);
      if (span.isRecording()) call.span = span;
      call.trace = traceIdsOf(withSpan(parent, span));
    };
    return {
      durationsOf: (path) =>
        telemetry.callDurations("rpc.client.call.duration", "Calls made, retries included", attributesOf(path)),
      begin(call, ambient) {
        if (ambient === undefined) {
          call.trace = telemetry.unrecordedTrace();
          if (call.trace === undefined) startSpan(call, ambient);
          return;
        }
        const { fallback } = ambient;
        if (fallback) fallback.count = () => fallbacks.add(1, { name: fallback.name });
        call.trace = ambient.trace ?? (ambient.otel === ROOT_CONTEXT ? telemetry.unrecordedTrace() : undefined);
        if (call.trace === undefined) startSpan(call, ambient);
      },
      retry({ called, span }, attempt, delayMs) {
        retries.add(1, attributesOf(called.policy.path));
        span?.addEvent("retry", { attempt, delay_ms: delayMs });
      },
      hedge({ called, span }) {
        hedges.add(1, attributesOf(called.policy.path));
        span?.addEvent("hedge");
      },
      end({ called, startedAtMs, span }, endedAtMs, error) {
        const code = error?.code ?? 0;
        called.durations.record(code, endedAtMs - startedAtMs);
        if (span === undefined) return;
        span.setAttribute("rpc.status_code", statusName(code));
        if (error !== undefined) failSpan(span, error);
        span.end();
      },
    };
  };
}
