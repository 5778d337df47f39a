import type { Order } from "../../../../../gen/shop/api/v1/order_pb.ts";
import { h } from "../dom.ts";
import { stateName, stateWords, stepsOf } from "../order-states.ts";
import { formatSecond } from "../time.ts";

const positionWords = { past: "done", present: "now", future: "to come" };

/** Where an order has been, is, and is going. */
export function orderTimeline(order: Order): HTMLElement {
  const steps = stepsOf(order).map(({ state, position, enteredAtMs }) =>
    h(
      "li",
      {
        class: `step step-${position}`,
        "data-state": stateName(state),
        ...(position === "present" && { "aria-current": "step" }),
      },
      h(
        "span",
        { class: "step-name" },
        stateWords(state).title,
        h("span", { class: "hidden" }, `, ${positionWords[position]}`),
      ),
      enteredAtMs !== undefined &&
        h("time", { class: "step-time", datetime: new Date(enteredAtMs).toISOString() }, formatSecond(enteredAtMs)),
    ),
  );
  return h("ol", { class: "timeline" }, steps);
}
