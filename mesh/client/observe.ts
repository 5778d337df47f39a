import type { Code, ConnectError } from "@connectrpc/connect";
import { type Attributes, type Context, type Span, SpanKind } from "@opentelemetry/api";
import type { CallContext } from "../context/call-context.ts";
import { currentOtelContext } from "../context/call-context.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { statusName } from "../contract/grpc-status.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import { failSpan, type Telemetry, withSpan } from "../telemetry/telemetry.ts";
import type { CalledMethod } from "./called-method.ts";

/** What is noted of one outgoing call. */
export interface Observation {
  readonly called: CalledMethod;
  /** Monotonic. */
  readonly startedAtMs: number;
  readonly span: Span;
  /** The context in which the call's span is the current one. */
  readonly otel: Context;
}

/** The client's RED metrics and spans, named as OpenTelemetry's RPC conventions have them. */
export interface ClientObserver {
  begin(called: CalledMethod, ambient: CallContext | undefined): Observation;
  /** Another attempt is about to wait. */
  retry(call: Observation, attempt: number, delayMs: number): void;
  /** Records the outcome; once. */
  end(call: Observation, error?: ConnectError): void;
}

/** Creates what observes the calls to a service. @param target the called service's name */
export type CreateObserver = (target: string) => ClientObserver;

/** Creates the metrics of a client; once for each mesh. */
export function createClientObservers(telemetry: Telemetry, clock: Clock = systemClock): CreateObserver {
  const duration = createDurationHistogram(telemetry.meter, "rpc.client.call.duration", "Calls made, retries included");
  const retries = telemetry.meter.createCounter("weft.client.retries", { description: "Attempts after the first" });
  const fallbacks = telemetry.meter.createCounter("weft.client.fallbacks", {
    description: "Calls whose answer the caller did without",
  });
  return (target) => {
    // Prebuilt: a list of attributes for each method and status.
    const known: Attributes[] = [];
    const attributesOf = ({ index, policy }: CalledMethod, code: Code | 0): Attributes => {
      const place = index * statuses + code;
      const found = known[place];
      if (found !== undefined) return found;
      const made = { ...spanAttributes(policy.path, target), "rpc.status_code": statusName(code) };
      known[place] = made;
      return made;
    };
    return {
      begin(called, ambient) {
        const fallback = ambient?.fallback;
        if (fallback) fallback.count = () => fallbacks.add(1, { name: fallback.name });
        const { path } = called.policy;
        const attributes = spanAttributes(path, target);
        const span = telemetry.startSpan(path, { kind: SpanKind.CLIENT, attributes });
        return { called, startedAtMs: clock.monotonic(), span, otel: withSpan(currentOtelContext(), span) };
      },
      retry({ called, span }, attempt, delayMs) {
        retries.add(1, spanAttributes(called.policy.path, target));
        span.addEvent("retry", { attempt, delay_ms: delayMs });
      },
      end({ called, startedAtMs, span }, error) {
        const code = error?.code ?? 0;
        duration.record((clock.monotonic() - startedAtMs) / 1000, attributesOf(called, code));
        span.setAttribute("rpc.status_code", statusName(code));
        if (error !== undefined) failSpan(span, error);
        span.end();
      },
    };
  };
}

/** gRPC's status codes, OK included. */
const statuses = 17;

function spanAttributes(path: string, target: string): Attributes {
  return { "rpc.system.name": "grpc", "rpc.method": path, "server.address": target };
}
