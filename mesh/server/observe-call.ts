import type { ConnectError } from "@connectrpc/connect";
import { type Link, ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { runAs } from "../context/call-context.ts";
import { isSampled, otelContextOf, parseTraceparent, spanContextOf, traceIdOf } from "../context/trace-ids.ts";
import { errorReason, meaningOf, overloadedReason } from "../contract/errors.ts";
import { statusName } from "../contract/grpc-status.ts";
import { failSpan, type Telemetry, withSpan } from "../telemetry/telemetry.ts";
import type { IncomingCall } from "./incoming-call.ts";

/**
 * Finds the trace that a call belongs to, and starts its span if that is recorded: else the ids alone go on. Outside, anybody could choose the
 * trace's id and with it whose logs it stands among, and that it is recorded: there it is one of our own, linked to the caller's.
 */
export function beginTrace(call: IncomingCall, telemetry: Telemetry): void {
  if (call.fromOutside || call.traceFlags < 0) beginOwnTrace(call, telemetry);
  else if (isSampled(call)) startSpan(call, telemetry, []);
  if (call.traced !== undefined) call.traced(call.span?.spanContext().traceId ?? traceIdOf(call));
}

function beginOwnTrace(call: IncomingCall, telemetry: Telemetry): void {
  const ids = telemetry.unrecordedTrace();
  if (ids === undefined) {
    const caller = call.fromOutside
      ? parseTraceparent(call.header("traceparent"), call.header("tracestate"))
      : undefined;
    startSpan(call, telemetry, caller ? [{ context: spanContextOf(caller) }] : []);
    return;
  }
  call.adoptTrace(ids);
}

function startSpan(call: IncomingCall, telemetry: Telemetry, links: Link[]): void {
  const parent = call.traceFlags >= 0 ? otelContextOf(call) : ROOT_CONTEXT;
  const attributes = {
    "rpc.system.name": "grpc",
    "rpc.method": call.policy.path,
    ...(call.peer && { "weft.peer": call.peer }),
    ...(call.clientAddress && { "client.address": call.clientAddress }),
  };
  const options = { kind: SpanKind.SERVER, parent, links, attributes, decided: true };
  call.span = telemetry.startSpan(call.policy.path, options);
  call.otel = withSpan(parent, call.span);
}

/** Counts a call that has ended, ends its span, and writes down why it failed. */
export function observeEnd(
  call: IncomingCall,
  visible: ConnectError | undefined,
  thrown: unknown,
  ms: number,
  telemetry: Telemetry,
): void {
  call.served.durations.record(visible?.code ?? 0, ms);
  const { span } = call;
  if (span !== undefined) {
    span.setAttribute("rpc.status_code", statusName(visible?.code ?? 0));
    if (visible && meaningOf(visible.code).endpointFailure) failSpan(span, visible);
    span.end();
  }
  if (visible) log(telemetry, call, visible, thrown, ms);
}

function log({ logger }: Telemetry, call: IncomingCall, error: ConnectError, thrown: unknown, ms: number): void {
  // A server that turns calls away says so once, not a line for each call.
  const logLevel = errorReason(error) === overloadedReason ? "debug" : meaningOf(error.code).logLevel;
  if (!logger.writes(logLevel)) return;
  const fields = {
    method: call.policy.path,
    code: statusName(error.code),
    detail: error.rawMessage,
    duration_ms: Math.round(ms * 1000) / 1000,
    ...(call.peer && { peer: call.peer }),
    ...(call.clientAddress && { client_address: call.clientAddress }),
    ...(logLevel === "error" && { error: thrown }),
  };
  runAs({ otel: call.otel }, () => logger[logLevel](`${call.policy.path} answered ${fields.code}`, fields));
}
