import {
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";
import type { Random } from "../contract/clock.ts";

/** Flag of a trace that is recorded (W3C Trace Context, trace-flags). */
export const sampledFlag = 1;

/**
 * A place in a trace: the ids of the trace and of the span that what happens here belongs to, as signed numbers of 32 bits, the first
 * most significant. Most traces are not recorded, and their ids only travel on: as text they would cost more than the call.
 */
export interface TraceIds {
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  /** W3C trace-flags. */
  readonly traceFlags: number;
  /** W3C tracestate, as it came. */
  readonly state?: string | undefined;
}

export function isSampled(ids: TraceIds): boolean {
  return (ids.traceFlags & sampledFlag) !== 0;
}

/** The ids of a new trace. */
export function newTraceIds(random: Random, traceFlags: number): TraceIds {
  return {
    trace0: random32(random),
    trace1: random32(random),
    trace2: random32(random),
    // Ids of nothing but zeros are none.
    trace3: random32(random) || 1,
    span0: random32(random),
    span1: random32(random) || 1,
    traceFlags,
    state: undefined,
  };
}

function random32(random: Random): number {
  return (random() * 0x1_0000_0000) | 0;
}

const traceparentForm = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/** The ids that W3C headers carry; undefined if they carry none that are valid. */
export function parseTraceparent(traceparent: string | null | undefined, state?: string | null): TraceIds | undefined {
  if (!traceparent || !traceparentForm.test(traceparent)) return undefined;
  // Version 00 ends with the flags.
  if (traceparent.length > 55 && traceparent.startsWith("00")) return undefined;
  const number = (at: number): number => Number.parseInt(traceparent.slice(at, at + 8), 16) | 0;
  const [trace0, trace1, trace2, trace3] = [number(3), number(11), number(19), number(27)];
  const [span0, span1] = [number(36), number(44)];
  if ((trace0 | trace1 | trace2 | trace3) === 0 || (span0 | span1) === 0) return undefined;
  const traceFlags = Number.parseInt(traceparent.slice(53, 55), 16);
  return { trace0, trace1, trace2, trace3, span0, span1, traceFlags, state: state || undefined };
}

/** W3C's traceparent header. */
export function formatTraceparent(ids: TraceIds): string {
  const flags = (ids.traceFlags & 0xff).toString(16).padStart(2, "0");
  return `00-${traceIdOf(ids)}-${spanIdOf(ids)}-${flags}`;
}

/** The trace's id as logs and other systems know it. */
export function traceIdOf({ trace0, trace1, trace2, trace3 }: TraceIds): string {
  return hex(trace0) + hex(trace1) + hex(trace2) + hex(trace3);
}

function spanIdOf({ span0, span1 }: TraceIds): string {
  return hex(span0) + hex(span1);
}

/** Each byte's two digits. */
const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(number: number): string {
  const [byte0, byte1] = [hexOfByte[number >>> 24], hexOfByte[(number >>> 16) & 0xff]];
  const [byte2, byte3] = [hexOfByte[(number >>> 8) & 0xff], hexOfByte[number & 0xff]];
  return `${byte0}${byte1}${byte2}${byte3}`;
}

/** OpenTelemetry's form of ids that came from elsewhere, or that nobody records. */
export function spanContextOf(ids: TraceIds): SpanContext {
  const { traceFlags, state } = ids;
  const own = { traceId: traceIdOf(ids), spanId: spanIdOf(ids), traceFlags: traceFlags & sampledFlag, isRemote: true };
  return state === undefined ? own : { ...own, traceState: createTraceState(state) };
}

/** OpenTelemetry's context with the ids as its current span. */
export function otelContextOf(ids: TraceIds): Context {
  return trace.setSpanContext(ROOT_CONTEXT, spanContextOf(ids));
}

/** The ids of a context's current span; undefined if it has none. */
export function traceIdsOf(context: Context): TraceIds | undefined {
  const span = trace.getSpanContext(context);
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  const flags = span.traceFlags.toString(16).padStart(2, "0");
  return parseTraceparent(`00-${span.traceId}-${span.spanId}-${flags}`, span.traceState?.serialize());
}
