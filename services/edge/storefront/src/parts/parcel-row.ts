import type { Parcel } from "../../../../../gen/shop/api/v1/warehouse_pb.ts";
import { h } from "../dom.ts";
import { fieldFailures } from "../failure.ts";
import { parcelName } from "../parcels.ts";
import { formatAgo, formatTime } from "../time.ts";
import { failureNotice } from "./notice.ts";

/** What a clerk does with a parcel. */
export interface Work {
  readonly kind: "ship" | "deliver";
  /** "Ship" */
  readonly label: string;
  /** An input of the row, or words. */
  readonly detail: HTMLElement;
  readonly input?: HTMLInputElement;
  readonly run: () => Promise<unknown>;
}

export interface ParcelRow {
  readonly node: HTMLElement;
  readonly parcel: Parcel;
  /** Whether the row tells what went wrong: then it stays until one has read it. */
  hasProblem(): boolean;
  focus(): void;
  /** Tells anew how long it has waited. */
  tick(nowMs: number): void;
}

/** One parcel in the list: how long it has waited, what goes into it, what to do. */
export function parcelRow(options: {
  readonly parcel: Parcel;
  /** "Paid" */
  readonly since: string;
  readonly work: Work;
  readonly onDone: () => void;
}): ParcelRow {
  const { parcel, since, work, onDone } = options;
  const sinceMs = parcel.stateSince && Number(parcel.stateSince.seconds) * 1_000;
  const when = h("time", {
    ...(sinceMs !== undefined && { datetime: new Date(sinceMs).toISOString(), title: formatTime(sinceMs) }),
  });
  const button = h(
    "button",
    {
      ...{ type: "submit", class: `button button-quiet parcel-${work.kind}` },
      // A list of buttons that all say "Ship" tells nobody which is which.
      "aria-label": `${work.label} ${parcelName(parcel)}`,
    },
    work.label,
  );
  const problem = h("div", { class: "parcel-problem" });

  const run = async (): Promise<void> => {
    if (button.disabled) return;
    button.disabled = true;
    problem.replaceChildren();
    try {
      await work.run();
      onDone();
    } catch (error) {
      button.disabled = false;
      const [wrong] = fieldFailures(error).values();
      problem.replaceChildren(
        wrong === undefined
          ? failureNotice(error, () => void run())
          : h("p", { class: "field-error", role: "alert" }, wrong),
      );
      if (wrong !== undefined) work.input?.focus();
    }
  };
  const onsubmit = (event: Event): void => {
    event.preventDefault();
    void run();
  };
  const node = h(
    "li",
    { class: "parcel", "data-order": parcel.orderId },
    h(
      "div",
      { class: "parcel-words" },
      h("h2", { class: "parcel-when" }, `${since} `, when),
      h("p", { class: "sku" }, h("code", {}, parcel.orderId)),
    ),
    h(
      "ul",
      { class: "parcel-lines" },
      parcel.lines.map(({ sku, name, quantity }) =>
        h(
          "li",
          {},
          h("span", { class: "parcel-count" }, `${quantity} ×`),
          h("span", {}, name, " ", h("code", { class: "parcel-sku" }, sku)),
        ),
      ),
    ),
    h("form", { class: "parcel-work", onsubmit }, work.detail, button, problem),
  );
  const tick = (nowMs: number): void => {
    when.textContent = sinceMs === undefined ? "" : formatAgo(sinceMs, nowMs);
  };
  tick(Date.now());
  return { node, parcel, tick, hasProblem: () => problem.childElementCount > 0, focus: () => button.focus() };
}
