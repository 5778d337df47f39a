import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  GetFunnelResponse,
  ListRevenueResponse,
  ListTopProductsResponse,
} from "../../../../../gen/shop/api/v1/report_pb.ts";
import { addDays, type Day, dayMs, dayOf, formatDay, parseDay, startOf } from "../days.ts";
import { fill, h, refill } from "../dom.ts";
import { keepFresh } from "../keep-fresh.ts";
import { formatMoney } from "../money.ts";
import type { App, Page, Visit } from "../page.ts";
import { connectionLine } from "../parts/connection-line.ts";
import { funnelTable } from "../parts/funnel.ts";
import { revenuePlot } from "../parts/revenue-plot.ts";
import { segments } from "../parts/segments.ts";
import { topProducts } from "../parts/top-products.ts";
import { pause } from "../pause.ts";
import { spansOf, sumOf } from "../revenue.ts";

const refreshIntervalMs = 3_000;
const topCount = 8;
const hourMs = 3_600_000;
const minuteMs = 60_000;
/** What the shop's seed is priced in. */
const currencyCode = "EUR";

interface Reports {
  readonly day: Day;
  readonly funnel: GetFunnelResponse;
  readonly revenue: ListRevenueResponse;
  readonly top: ListTopProductsResponse;
}

/** How a day goes, or went: for managers. */
export async function todayPage(app: App, { query, signal }: Visit): Promise<Page> {
  const asked = parseDay(query.get("day"));
  const today = dayOf(Date.now());
  const isPast = asked !== undefined && asked < today;
  const sections = drawSections(isPast);
  const load = async (left: AbortSignal): Promise<void> => {
    // Past midnight the page goes on with the new day.
    const reports = await read(app, isPast ? asked : dayOf(Date.now()), left);
    if (!left.aborted) sections.show(reports, Date.now());
  };
  await load(signal);
  const connection = connectionLine("Live: the numbers follow the shop");
  if (!isPast) {
    const isHidden = () => document.hidden;
    const fresh = { load, intervalMs: refreshIntervalMs, isHidden, pause, onConnection: connection.show };
    keepFresh(fresh, signal).catch(app.reload);
  }
  const day = isPast ? asked : today;
  const title = isPast ? formatDay(day) : "Today";
  const content = h(
    "div",
    {},
    h("div", { class: "day-head" }, h("h1", {}, title), dayLinks(day, today)),
    h(
      "p",
      { class: "lead" },
      isPast ? "A day from midnight to midnight, UTC." : `${formatDay(day)}, from midnight, UTC.`,
    ),
    connection.node,
    sections.node,
  );
  return { title, content };
}

async function read({ api }: App, day: Day, signal: AbortSignal): Promise<Reports> {
  const fromMs = startOf(day);
  const range = { from: timestampFromMs(fromMs), until: timestampFromMs(fromMs + dayMs), currencyCode };
  const [funnel, revenue, top] = await Promise.all([
    api.reports.getFunnel({ day }, { signal }),
    api.reports.listRevenue(range, { signal }),
    api.reports.listTopProducts({ pageSize: topCount }, { signal }),
  ]);
  return { day, funnel, revenue, top };
}

function dayLinks(day: Day, today: Day): HTMLElement {
  const link = (to: Day, name: string) =>
    h("li", {}, h("a", { href: to === today ? "/today" : `/today?day=${to}` }, name));
  return h(
    "nav",
    { class: "tabs", "aria-label": "Days" },
    h(
      "ul",
      {},
      link(addDays(day, -1), "Day before"),
      day < today && link(addDays(day, 1), "Day after"),
      addDays(day, 1) < today && link(today, "Today"),
    ),
  );
}

/** The page's three parts, each drawn anew with every answer; what one has chosen stays. */
function drawSections(isPast: boolean) {
  const sum = h("div", { class: "day-sum" });
  const plot = revenuePlot();
  const funnel = h("div", {});
  const top = h("div", {});
  let last: { reports: Reports; nowMs: number } | undefined;
  const drawPlot = (): void => {
    if (last !== undefined) plot.show({ ...spansFor(choice.value(), last.reports, last.nowMs), currencyCode });
  };
  const choice = segments({
    ...{ label: "Span of the plot", name: "span", onChange: drawPlot },
    options: [
      ["day", "By hour"],
      ["hour", "Last hour by minute"],
    ],
  });
  const node = h(
    "div",
    { class: "day" },
    h(
      "section",
      { class: "day-revenue", "aria-labelledby": "revenue-title" },
      h("div", { class: "section-head" }, h("h2", { id: "revenue-title" }, "Revenue"), !isPast && choice.node),
      sum,
      plot.node,
    ),
    h(
      "section",
      { "aria-labelledby": "funnel-title" },
      h("h2", { id: "funnel-title" }, "From looking to paying"),
      funnel,
    ),
    h("section", { "aria-labelledby": "top-title" }, h("h2", { id: "top-title" }, "What sells best, in 30 days"), top),
  );
  return {
    node,
    show(reports: Reports, nowMs: number): void {
      last = { reports, nowMs };
      fill(sum, sumWords(reports));
      drawPlot();
      fill(funnel, funnelTable(reports.funnel));
      refill(top, topProducts(reports.top));
    },
  };
}

function spansFor(choice: "day" | "hour", { day, revenue }: Reports, nowMs: number) {
  if (choice === "day") {
    const range = { fromMs: startOf(day), spanMs: hourMs, count: 24 };
    return { spans: spansOf(revenue.minutes, range), by: "by hour", labelEvery: 3, emptyWords: "No money came in." };
  }
  const fromMs = Math.floor(nowMs / minuteMs) * minuteMs - 59 * minuteMs;
  const range = { fromMs, spanMs: minuteMs, count: 60 };
  const emptyWords = "No money came in within the last hour.";
  return { spans: spansOf(revenue.minutes, range), by: "of the last hour by minute", labelEvery: 10, emptyWords };
}

function sumWords({ day, revenue }: Reports): HTMLElement[] {
  const { captured, refunded } = sumOf(spansOf(revenue.minutes, { fromMs: startOf(day), spanMs: dayMs, count: 1 }));
  const money = (minorUnits: bigint): string => formatMoney({ currencyCode, minorUnits });
  return [
    h("p", { class: "day-total" }, money(captured - refunded)),
    h(
      "p",
      { class: "day-parts" },
      h("span", { class: "day-taken" }, `${money(captured)} taken`),
      h("span", { class: "day-returned" }, `${money(refunded)} given back`),
    ),
  ];
}
