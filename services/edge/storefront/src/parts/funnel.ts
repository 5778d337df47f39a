import type { GetFunnelResponse } from "../../../../../gen/shop/api/v1/report_pb.ts";
import { h, s } from "../dom.ts";
import { counted } from "../words.ts";

const steps = [
  ["Products looked at", "productViews"],
  ["Changes of a cart", "cartUpdates"],
  ["Orders placed", "ordersPlaced"],
  ["Orders confirmed", "ordersConfirmed"],
  ["Orders paid", "ordersPaid"],
] as const;

const perHundred = new Intl.NumberFormat("en-IE", { maximumFractionDigits: 1 });

/** From looking to paying, each step as long as it counts. */
export function funnelTable(funnel: GetFunnelResponse): HTMLElement {
  const counts = steps.map(([, key]) => Number(funnel[key]));
  const largest = Math.max(1, ...counts);
  const views = Number(funnel.productViews);
  const rows = steps.map(([name, key], index) => {
    const count = counts[index] ?? 0;
    return h(
      "tr",
      { "data-step": key },
      h("th", { scope: "row" }, name, thread(count / largest)),
      h("td", { class: "funnel-count" }, funnel[key].toLocaleString("en-IE")),
      h("td", {}, views === 0 ? "–" : perHundred.format((100 * count) / views)),
    );
  });
  const head = h("tr", {}, ...["Step", "Count", "Per 100 looks"].map((name) => h("th", { scope: "col" }, name)));
  const cancelled = funnel.ordersCancelled;
  return h(
    "div",
    {},
    h(
      "table",
      { class: "table funnel" },
      h("caption", { class: "hidden" }, "From looking to paying"),
      h("thead", {}, head),
      h("tbody", {}, rows),
    ),
    h(
      "p",
      { class: "funnel-more" },
      cancelled === 0n ? "No order was cancelled." : `${counted(cancelled, "order")} cancelled.`,
    ),
  );
}

/** A thread of so much of the whole width. */
function thread(share: number): SVGSVGElement {
  return s(
    "svg",
    { class: "thread", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "thread-rest", width: 100, height: 1 }),
    s("rect", { class: "thread-part", width: Math.round(share * 1_000) / 10, height: 1 }),
  );
}
