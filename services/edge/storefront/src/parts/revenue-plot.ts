import { fill, h, s } from "../dom.ts";
import { formatMoney, formatRoundMoney } from "../money.ts";
import { type Scale, type Span, scaleOf } from "../revenue.ts";
import { clockTime } from "../time.ts";

/** What a plot shows. */
export interface Plotted {
  readonly spans: readonly Span[];
  readonly currencyCode: string;
  /** "by hour" */
  readonly by: string;
  /** Every so many spans have their time written below them. */
  readonly labelEvery: number;
  /** In the place of a plot of nothing. */
  readonly emptyWords: string;
}

/** Height of the drawing in its own units; it is stretched to whatever place there is. */
const height = 100;
/** Of a span's width, what its bar takes: threads with a gap between them. */
const barShare = 0.72;
/** One major unit of most currencies. */
const smallestStep = 100;

/** Money over time: bars for the eye, the same numbers as a table for whoever prefers those. */
export function revenuePlot(): { readonly node: HTMLElement; show(plotted: Plotted): void } {
  const frame = h("div", { class: "plot-frame" });
  const rows = h("div", { class: "table-frame" });
  // It stays, so that it stays open, and in focus, while the numbers change.
  const details = h("details", { class: "plot-table" }, h("summary", {}, "As a table"), rows);
  return {
    node: h("figure", { class: "plot" }, frame, details),
    show(plotted) {
      const { spans, currencyCode, labelEvery, emptyWords } = plotted;
      const isEmpty = !spans.some(hasMoney);
      details.hidden = isEmpty;
      if (isEmpty) return fill(frame, h("p", { class: "plot-empty" }, emptyWords));
      const scale = scaleOf(spans, smallestStep);
      const amounts = scale.ticks.toReversed().map((tick) => h("li", {}, formatRoundMoney(currencyCode, tick)));
      const times = spans
        .filter((_, index) => index % labelEvery === 0)
        .map(({ fromMs }) => h("li", {}, clockTime(fromMs)));
      fill(
        frame,
        h("ol", { class: "plot-scale", "aria-hidden": "true" }, amounts),
        drawing(plotted, scale),
        h("ol", { class: "plot-times", "aria-hidden": "true" }, times),
      );
      fill(rows, table(plotted));
    },
  };
}

function drawing({ spans, currencyCode, by }: Plotted, scale: Scale): SVGSVGElement {
  const y = (value: number): number => ((scale.max - value) / (scale.max - scale.min)) * height;
  const lines = scale.ticks.map((tick) =>
    s("line", {
      class: tick === 0 ? "plot-line plot-zero" : "plot-line",
      ...{ x1: 0, x2: spans.length, y1: y(tick), y2: y(tick) },
    }),
  );
  const bar = (name: string, index: number, from: number, to: number) =>
    s("rect", {
      class: name,
      ...{ x: index + (1 - barShare) / 2, width: barShare, y: y(to), height: y(from) - y(to) },
    });
  const bars = spans.map((span, index) => {
    const { fromMs, captured, refunded } = span;
    if (!hasMoney(span)) return false;
    return s(
      "g",
      {},
      s("title", {}, `${clockTime(fromMs)}: ${words(span, currencyCode)}`),
      captured > 0n && bar("plot-captured", index, 0, Number(captured)),
      refunded > 0n && bar("plot-refunded", index, -Number(refunded), 0),
    );
  });
  return s(
    "svg",
    {
      ...{ class: "plot-drawing", viewBox: `0 0 ${spans.length} ${height}`, preserveAspectRatio: "none", role: "img" },
      "aria-label": `Revenue ${by}. ${highest(spans, currencyCode)} The table below has all numbers.`,
    },
    lines,
    bars,
  );
}

function highest(spans: readonly Span[], currencyCode: string): string {
  const best = spans.reduce<Span | undefined>(
    (found, span) => (span.captured > (found?.captured ?? 0n) ? span : found),
    undefined,
  );
  if (best === undefined) return "Nothing taken.";
  return `The most at ${clockTime(best.fromMs)}: ${formatMoney({ currencyCode, minorUnits: best.captured })}.`;
}

function words({ captured, refunded }: Span, currencyCode: string): string {
  const taken = formatMoney({ currencyCode, minorUnits: captured });
  return refunded === 0n ? taken : `${taken}, ${formatMoney({ currencyCode, minorUnits: refunded })} given back`;
}

function hasMoney({ captured, refunded }: Span): boolean {
  return captured !== 0n || refunded !== 0n;
}

function table({ spans, currencyCode, by }: Plotted): HTMLElement {
  const money = (minorUnits: bigint): string => formatMoney({ currencyCode, minorUnits });
  const rows = spans
    .filter(hasMoney)
    .map(({ fromMs, captured, refunded }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, clockTime(fromMs)),
        h("td", {}, money(captured)),
        h("td", {}, money(refunded)),
      ),
    );
  const head = ["From", "Taken", "Given back"].map((name) => h("th", { scope: "col" }, name));
  return h(
    "table",
    { class: "table" },
    h("caption", { class: "hidden" }, `Revenue ${by}`),
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, rows),
  );
}
