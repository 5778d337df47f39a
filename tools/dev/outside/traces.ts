import type { ReceivedSpan } from "./otlp.ts";

export interface TraceStoreOptions {
  readonly traceCountMax: number;
  readonly spanCountPerTraceMax: number;
}

/** A trace in a list. */
export interface TraceSummary {
  readonly trace_id: string;
  /** The span without a parent here, or the earliest. */
  readonly root: string;
  readonly service: string;
  readonly span_count: number;
  readonly start_ns: string;
  readonly end_ns: string;
}

/** The last traces that came in; the one that got no span for longest goes first when there are too many. */
export interface TraceStore {
  add(spans: readonly ReceivedSpan[]): void;
  /** Its spans by start time, none if it is unknown. */
  spans(traceId: string): ReceivedSpan[];
  /** Newest first. */
  list(limit: number): TraceSummary[];
}

export function createTraceStore(options: TraceStoreOptions): TraceStore {
  // A Map keeps the order of insertion: re-inserted at each span, its first key is the longest untouched.
  const traces = new Map<string, ReceivedSpan[]>();
  const addOne = (span: ReceivedSpan): void => {
    const spans = traces.get(span.trace_id) ?? [];
    traces.delete(span.trace_id);
    traces.set(span.trace_id, spans);
    if (spans.length < options.spanCountPerTraceMax) spans.push(span);
    if (traces.size > options.traceCountMax) {
      for (const oldest of traces.keys()) {
        traces.delete(oldest);
        break;
      }
    }
  };
  return {
    add: (spans) => spans.forEach(addOne),
    spans: (traceId) => [...(traces.get(traceId) ?? [])].sort(byStart),
    list: (limit) => [...traces.values()].slice(-limit).reverse().map(summary),
  };
}

function summary(spans: readonly ReceivedSpan[]): TraceSummary {
  const sorted = [...spans].sort(byStart);
  const root = sorted.find((span) => span.parent_span_id === "") ?? sorted[0];
  const last = sorted.reduce((latest, span) => later(latest, span.end_ns), "0");
  return {
    trace_id: root?.trace_id ?? "",
    root: root?.name ?? "",
    service: root?.service ?? "",
    span_count: spans.length,
    start_ns: sorted[0]?.start_ns ?? "0",
    end_ns: last,
  };
}

/** By start; of two that start together the one that ends last comes first, since it may hold the other. */
function byStart(a: ReceivedSpan, b: ReceivedSpan): number {
  return compare(a.start_ns, b.start_ns) || compare(b.end_ns, a.end_ns);
}

function compare(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function later(a: string, b: string): string {
  return compare(a, b) < 0 ? b : a;
}
