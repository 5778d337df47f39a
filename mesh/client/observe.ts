import { Code, ConnectError } from "@connectrpc/connect";
import { type Attributes, type Span, SpanKind } from "@opentelemetry/api";
import { currentCall, currentOtelContext, runAs } from "../context/call-context.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { statusName } from "../contract/grpc-status.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import { failSpan, type Telemetry, withSpan } from "../telemetry/telemetry.ts";

/** One outgoing call under observation. */
export interface ObservedCall {
  /** Runs fn with the call's span ambient. */
  run<T>(fn: () => T): T;
  /** Another attempt is about to wait. */
  retry(attempt: number, delayMs: number): void;
  /** Records the outcome, once. */
  end(error?: unknown): void;
}

/** Starts observing a call to a service. */
export type Observe = (path: string, target: string) => ObservedCall;

/** Creates the client's RED metrics and spans, named as OpenTelemetry's RPC conventions have them. */
export function createClientObserver(telemetry: Telemetry, clock: Clock = systemClock): Observe {
  const duration = createDurationHistogram(telemetry.meter, "rpc.client.call.duration", "Calls made, retries included");
  const retries = telemetry.meter.createCounter("weft.client.retries", { description: "Attempts after the first" });
  const fallbacks = telemetry.meter.createCounter("weft.client.fallbacks", {
    description: "Calls whose answer the caller did without",
  });
  return (path, target) => {
    const fallback = currentCall()?.fallback;
    if (fallback) fallback.count = () => fallbacks.add(1, { name: fallback.name });
    const startedAt = clock.monotonic();
    const attributes: Attributes = { "rpc.system.name": "grpc", "rpc.method": path, "server.address": target };
    const span = telemetry.startSpan(path, { kind: SpanKind.CLIENT, attributes });
    const otel = withSpan(currentOtelContext(), span);
    let ended = false;
    return {
      run: (fn) => runAs({ otel }, fn),
      retry(attempt, delayMs) {
        retries.add(1, attributes);
        span.addEvent("retry", { attempt, delay_ms: delayMs });
      },
      end(error) {
        if (ended) return;
        ended = true;
        const status = statusName(error === undefined ? 0 : codeOf(error));
        duration.record((clock.monotonic() - startedAt) / 1000, { ...attributes, "rpc.status_code": status });
        endSpan(span, status, error);
      },
    };
  };
}

function codeOf(error: unknown): Code {
  return error instanceof ConnectError ? error.code : Code.Unknown;
}

function endSpan(span: Span, status: string, error: unknown): void {
  span.setAttribute("rpc.status_code", status);
  if (error !== undefined) failSpan(span, error);
  span.end();
}
