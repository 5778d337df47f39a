import { h } from "../dom.ts";
import type { App } from "../page.ts";
import { type PageOfParcels, parcelName, readFirst } from "../parcels.ts";
import { counted } from "../words.ts";
import { failureNotice } from "./notice.ts";
import { parcelList } from "./parcel-list.ts";
import { parcelRow } from "./parcel-row.ts";
import type { Stage } from "./parcel-stages.ts";
import { segments } from "./segments.ts";

const pageSize = 20;

export interface ParcelQueue {
  /** How many there are. */
  readonly lead: HTMLElement;
  /** A choice of what comes first. */
  readonly order: HTMLElement;
  /** The parcels, and a button for more. */
  readonly nodes: readonly HTMLElement[];
  /** Reads anew as many as are shown. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** What waits in a stage, and the work on it. `onEmpty` is called when the last one shown is done. */
export function parcelQueue(stage: Stage, app: App, onEmpty: () => void): ParcelQueue {
  const lead = h("p", { class: "lead", role: "status" });
  const foot = h("div", { class: "grid-foot" });
  let nextPageToken = "";
  const read = (pageToken: string, signal?: AbortSignal): Promise<PageOfParcels> =>
    app.api.warehouse.listParcels(
      { state: stage.state, newestFirst: order.value() === "newest", pageSize, pageToken },
      signal && { signal },
    );

  const list = parcelList((parcel) =>
    parcelRow({
      ...{ parcel, since: stage.since, work: stage.work(app, parcel) },
      onDone() {
        app.announce(`${stage.doneWords}: ${parcelName(parcel)}`);
        if (!list.remove(parcel.orderId)) onEmpty();
        drawCount();
      },
    }),
  );
  const drawCount = (): void => {
    const count = list.count();
    const words = `${nextPageToken === "" ? "" : "More than "}${counted(count, "parcel")}`;
    const text = count === 0 ? stage.emptyWords : stage.countWords(words);
    // A screen reader says it again whenever it is set.
    if (lead.textContent !== text) lead.textContent = text;
  };
  const draw = (page: PageOfParcels): void => {
    ({ nextPageToken } = page);
    list.show(page.parcels);
    drawCount();
    foot.replaceChildren(...(nextPageToken === "" ? [] : [moreButton]));
  };
  const reorder = async (): Promise<void> => {
    const chosen = order.value();
    try {
      const page = await read("");
      if (order.value() !== chosen) return;
      list.clear();
      draw(page);
    } catch (error) {
      foot.replaceChildren(failureNotice(error, () => void reorder()));
    }
  };
  const order = segments({
    ...{ label: "What comes first", name: "order", onChange: () => void reorder() },
    options: [
      ["oldest", "Oldest first"],
      ["newest", "Newest first"],
    ],
  });
  const more = async (): Promise<void> => {
    if (moreButton.disabled) return;
    moreButton.disabled = true;
    const before = list.count();
    try {
      draw(await readFirst(read, before + pageSize));
      list.focusAt(before);
    } catch (error) {
      foot.replaceChildren(failureNotice(error, () => void more()));
    } finally {
      moreButton.disabled = false;
    }
  };
  const onclick = () => void more();
  const moreButton = h("button", { type: "button", class: "button button-quiet", onclick }, "Show more");

  return {
    ...{ lead, order: order.node, nodes: [list.node, foot] },
    async refresh(signal) {
      const before = { count: list.count(), order: order.value() };
      const page = await readFirst((pageToken) => read(pageToken, signal), before.count);
      // Somebody may have asked for more meanwhile, or for another order: that answer is newer.
      if (signal.aborted || list.count() > before.count || order.value() !== before.order) return;
      // New ones come in above: nothing moves under a hand that is about to ship.
      if (before.order === "newest" && list.node.matches(":hover")) return;
      draw(page);
    },
  };
}
