import type { ReceivedSpan } from "../outside/otlp.ts";

const barWidth = 32;
const nameWidth = 46;

/**
 * Draws a trace: a line for each span, children below their parents, with a bar for when it ran. The client's span of a
 * call is left out where the server's is there: they are one call.
 *
 * @returns lines without colour, widths in characters
 */
export function drawWaterfall(spans: readonly ReceivedSpan[]): string[] {
  const shown = withoutClientTwins(spans);
  const [first] = shown.map((span) => BigInt(span.start_ns)).sort(ascending);
  const last = shown
    .map((span) => BigInt(span.end_ns))
    .sort(ascending)
    .at(-1);
  if (first === undefined || last === undefined) return [];
  const zero = first;
  const total = Number(last - zero);
  const ids = new Set(shown.map((span) => span.span_id));
  const lines: string[] = [];
  const draw = (span: ReceivedSpan, depth: number): void => {
    const start = Number(BigInt(span.start_ns) - zero);
    const length = Number(BigInt(span.end_ns) - BigInt(span.start_ns));
    const name = `${"  ".repeat(depth)}${shortName(span)}`;
    const failed = span.status_code === "error" ? "  failed" : "";
    lines.push(
      `${span.service.padEnd(13)}${clip(name, nameWidth).padEnd(nameWidth)} ${bar(start, length, total)} ${ms(start)} +${ms(length)}${failed}`,
    );
    for (const child of shown) if (child.parent_span_id === span.span_id) draw(child, depth + 1);
  };
  for (const span of shown) if (!ids.has(span.parent_span_id)) draw(span, 0);
  return lines;
}

function ascending(a: bigint, b: bigint): number {
  return Number(a - b);
}

function withoutClientTwins(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const byId = new Map(spans.map((span) => [span.span_id, span]));
  const twins = new Map<string, ReceivedSpan>();
  for (const span of spans) {
    const parent = byId.get(span.parent_span_id);
    if (span.kind === "server" && parent?.kind === "client" && parent.name === span.name)
      twins.set(parent.span_id, parent);
  }
  return spans
    .filter((span) => !twins.has(span.span_id))
    .map((span) => {
      const twin = twins.get(span.parent_span_id);
      return twin ? { ...span, parent_span_id: twin.parent_span_id } : span;
    });
}

/** "shop.order.v1.OrderService/PlaceOrder" -> "OrderService/PlaceOrder". */
function shortName({ name }: ReceivedSpan): string {
  return name.replace(/\b(?:[a-z0-9]+\.)+(?=[A-Z])/, "");
}

function bar(start: number, length: number, total: number): string {
  const scale = barWidth / Math.max(1, total);
  const from = Math.min(barWidth - 1, Math.floor(start * scale));
  const width = Math.max(1, Math.min(barWidth - from, Math.round(length * scale)));
  return `${"·".repeat(from)}${"█".repeat(width)}${"·".repeat(barWidth - from - width)}`;
}

function ms(nanoseconds: number): string {
  return `${(nanoseconds / 1e6).toFixed(1)} ms`.padStart(10);
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
