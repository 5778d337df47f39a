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

/** The ids that W3C headers carry; undefined if they carry none that are valid. */
export function parseTraceparent(traceparent: string | null | undefined, state?: string | null): TraceIds | undefined {
  if (!traceparent || !hasForm(traceparent)) return undefined;
  const [trace0, trace1] = [hexWord(traceparent, 3, 8), hexWord(traceparent, 11, 8)];
  const [trace2, trace3] = [hexWord(traceparent, 19, 8), hexWord(traceparent, 27, 8)];
  const [span0, span1] = [hexWord(traceparent, 36, 8), hexWord(traceparent, 44, 8)];
  const traceFlags = hexWord(traceparent, 53, 2);
  if ((trace0 | trace1 | trace2 | trace3) === 0 || (span0 | span1) === 0) return undefined;
  return { trace0, trace1, trace2, trace3, span0, span1, traceFlags, state: state || undefined };
}

/** Two digits, 32, 16 and 2, with hyphens between; what a version above 00 may have behind them, another hyphen parts off. ff is no version. */
function hasForm(text: string): boolean {
  const { length } = text;
  if (length < 55 || (length > 55 && (text.startsWith("00") || text.charCodeAt(55) !== hyphen))) return false;
  for (let at = 0; at < 55; at++) {
    const code = text.charCodeAt(at);
    if (at === 2 || at === 35 || at === 52 ? code !== hyphen : digitOf(code) < 0) return false;
  }
  return !text.startsWith("ff");
}

const hyphen = 0x2d;

/** A word of hex digits, signed. By hand: parseInt() and a regular expression cost ten times as much, which each call over plain gRPC would pay. */
function hexWord(text: string, from: number, digits: number): number {
  let word = 0;
  for (let at = from; at < from + digits; at++) word = (word << 4) | digitOf(text.charCodeAt(at));
  return word;
}

/** The value of a lower-case hex digit; -1 if it is none. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
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
