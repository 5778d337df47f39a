import { h } from "../dom.ts";
import { keepFresh } from "../keep-fresh.ts";
import type { App, LoadPage, Page, Visit } from "../page.ts";
import { connectionLine } from "../parts/connection-line.ts";
import { parcelQueue } from "../parts/parcel-queue.ts";
import { onTheirWay, type Stage, toShip } from "../parts/parcel-stages.ts";
import { pause } from "../pause.ts";

const refreshIntervalMs = 3_000;

export const toShipPage: LoadPage = (app, visit) => stagePage(toShip, app, visit);
export const onTheirWayPage: LoadPage = (app, visit) => stagePage(onTheirWay, app, visit);

/** A list of the warehouse's, for clerks: work goes out, new work comes in by itself. */
async function stagePage(stage: Stage, app: App, { signal }: Visit): Promise<Page> {
  const heading = h("h1", {}, "Warehouse");
  const queue = parcelQueue(stage, app, () => heading.focus());
  await queue.refresh(signal);
  const connection = connectionLine("Live: this list follows the orders");
  const isHidden = () => document.hidden;
  const onConnection = connection.show;
  const fresh = { load: queue.refresh, intervalMs: refreshIntervalMs, isHidden, pause, onConnection };
  // A session that has ended leads to the log-in and back, a right that is gone to the refusal.
  keepFresh(fresh, signal).catch(app.reload);
  const content = h(
    "div",
    {},
    heading,
    h("div", { class: "section-head" }, tabs(stage), queue.order),
    queue.lead,
    connection.node,
    queue.nodes,
  );
  return { title: `${stage.name} · Warehouse`, content };
}

function tabs(current: Stage): HTMLElement {
  const links = [toShip, onTheirWay].map(({ path, name }) =>
    h("li", {}, h("a", { href: path, ...(path === current.path && { "aria-current": "page" }) }, name)),
  );
  return h("nav", { class: "tabs", "aria-label": "Warehouse" }, h("ul", {}, links));
}
