import type { OrderState } from "../../../../../gen/shop/api/v1/order_pb.ts";
import { h } from "../dom.ts";
import { stateName, stateWords } from "../order-states.ts";

/** An order's state in a word. */
export function stateBadge(state: OrderState): HTMLElement {
  const name = stateName(state);
  return h("span", { class: `state state-${name}`, "data-state": name }, stateWords(state).title);
}
