import type { RevenueMinute } from "../../../../gen/shop/api/v1/report_pb.ts";

/** What was taken and given back in a span of time, in minor units. */
export interface Span {
  readonly fromMs: number;
  readonly captured: bigint;
  readonly refunded: bigint;
}

/** Adds minutes up to spans of equal length, from `fromMs` on; those in which nothing happened are there too. */
export function spansOf(
  minutes: readonly Pick<RevenueMinute, "minute" | "captured" | "refunded">[],
  { fromMs, spanMs, count }: { readonly fromMs: number; readonly spanMs: number; readonly count: number },
): Span[] {
  const spans = Array.from({ length: count }, (_, index) => ({
    ...{ fromMs: fromMs + index * spanMs, captured: 0n, refunded: 0n },
  }));
  for (const { minute, captured, refunded } of minutes) {
    const atMs = Number(minute?.seconds ?? 0n) * 1_000;
    const span = spans[Math.floor((atMs - fromMs) / spanMs)];
    if (span === undefined) continue;
    span.captured += captured?.minorUnits ?? 0n;
    span.refunded += refunded?.minorUnits ?? 0n;
  }
  return spans;
}

/** All of them together. */
export function sumOf(spans: readonly Span[]): Pick<Span, "captured" | "refunded"> {
  return spans.reduce(
    (sum, { captured, refunded }) => ({ captured: sum.captured + captured, refunded: sum.refunded + refunded }),
    { captured: 0n, refunded: 0n },
  );
}

/** What a plot's axis shows, evenly spaced, in minor units; 0 is one of them. */
export interface Scale {
  readonly min: number;
  readonly max: number;
  /** From min to max. */
  readonly ticks: readonly number[];
}

const stepsMax = 4;

/** An axis of round numbers (1, 2 or 5 times a power of ten) that holds what was captured upwards, what was refunded downwards. */
export function scaleOf(spans: readonly Span[], smallestStep: number): Scale {
  const top = Math.max(smallestStep, ...spans.map(({ captured }) => Number(captured)));
  const bottom = Math.max(0, ...spans.map(({ refunded }) => Number(refunded)));
  const step = Math.max(smallestStep, roundUp((top + bottom) / stepsMax));
  const min = bottom === 0 ? 0 : -Math.ceil(bottom / step) * step;
  const max = Math.ceil(top / step) * step;
  const ticks = Array.from({ length: Math.round((max - min) / step) + 1 }, (_, index) => min + index * step);
  return { min, max, ticks };
}

function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((factor) => factor * power >= value) ?? 10) * power;
}
