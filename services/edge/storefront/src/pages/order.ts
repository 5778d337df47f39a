import { type Order, OrderState } from "../../../../../gen/shop/api/v1/order_pb.ts";
import { h } from "../dom.ts";
import { formatMoney, times } from "../money.ts";
import { canCancel, stateName, stateWords } from "../order-states.ts";
import { watchOrder } from "../order-watch.ts";
import type { App, Page, Visit } from "../page.ts";
import { cancelButton } from "../parts/cancel-order.ts";
import { connectionLine } from "../parts/connection-line.ts";
import { failureNotice } from "../parts/notice.ts";
import { orderTimeline } from "../parts/order-timeline.ts";
import { productPath } from "../parts/product-card.ts";
import { pause } from "../pause.ts";

/** One order, followed as it goes. */
export async function orderPage(app: App, { params, signal }: Visit): Promise<Page> {
  const orderId = params.id ?? "";
  const { order } = await app.api.orders.getOrder({ orderId }, { signal });
  if (order === undefined) throw new Error("the answer holds no order");

  const status = h("div", { class: "order-status", role: "status" });
  const timeline = h("div", {});
  const actions = h("div", { class: "order-actions" });
  const connection = connectionLine("Live: this page follows your order");
  const problem = h("div", {});
  let shown: OrderState | undefined;

  const draw = (now: Order): void => {
    timeline.replaceChildren(orderTimeline(now));
    if (shown === now.state) return;
    shown = now.state;
    status.replaceChildren(...statusWords(now));
    status.dataset.state = stateName(now.state);
    actions.replaceChildren(...orderActions(app, now, draw));
  };
  const follow = (): void => {
    problem.replaceChildren();
    const open = (left: AbortSignal) => app.api.streams.watchOrder({ orderId }, { signal: left });
    const deps = { open, pause, random: Math.random, onOrder: draw, onConnection: connection.show };
    watchOrder(deps, signal).catch((error: unknown) => {
      connection.show("ended");
      problem.replaceChildren(failureNotice(error, follow));
    });
  };
  draw(order);
  follow();
  // By now the order has emptied the cart.
  app.cart.load().catch(() => undefined);
  const content = h(
    "div",
    {},
    h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: "/orders" }, "Your orders")),
    h("h1", { class: "order-title" }, "Your order"),
    h("p", { class: "sku" }, "Order ", h("code", {}, order.orderId)),
    problem,
    h(
      "div",
      { class: "split" },
      h("section", { "aria-label": "Progress" }, status, connection.node, timeline),
      h("aside", { class: "summary", "aria-label": "What you ordered" }, orderLines(order), actions),
    ),
  );
  return { title: "Your order", content };
}

function statusWords({ state, cancelReason, paymentInstructions, trackingNumber }: Order): HTMLElement[] {
  const { title, message } = stateWords(state);
  const more = [
    state === OrderState.CANCELLED && cancelReason !== "" && `Why: ${cancelReason}`,
    state === OrderState.AWAITING_PAYMENT && paymentInstructions,
    trackingNumber !== "" && `Tracking number ${trackingNumber}`,
  ];
  return [
    h("p", { class: "order-state" }, title),
    h("p", { class: "lead" }, message),
    ...more.flatMap((text) => (text ? [h("p", { class: "order-more" }, text)] : [])),
  ];
}

function orderLines({ lines, total }: Order): HTMLElement {
  const rows = lines.map(({ sku, name, quantity, unitPrice }) =>
    h(
      "div",
      {},
      h("dt", {}, `${quantity} × `, h("a", { href: productPath(sku) }, name)),
      h("dd", {}, unitPrice && formatMoney(times(unitPrice, quantity))),
    ),
  );
  return h(
    "div",
    {},
    h("dl", { class: "sums" }, rows),
    total && h("dl", { class: "sums sums-total" }, h("div", {}, h("dt", {}, "Total"), h("dd", {}, formatMoney(total)))),
  );
}

function orderActions(app: App, order: Order, draw: (order: Order) => void): HTMLElement[] {
  const { orderId, state } = order;
  if (state === OrderState.CANCELLED) return [againButton(app, order)];
  if (!canCancel(state)) return [];
  return [cancelButton(app, orderId, (cancelled) => cancelled && draw(cancelled))];
}

/** Puts the same things into the cart once more. */
function againButton(app: App, { lines }: Order): HTMLElement {
  const problem = h("div", {});
  const button = h("button", { type: "button", class: "button button-quiet" }, "Put all back into the cart");
  const fillCart = async (): Promise<void> => {
    button.disabled = true;
    try {
      for (const { sku, quantity } of lines) await app.cart.setQuantity(sku, quantity);
      app.go("/cart");
    } catch (error) {
      problem.replaceChildren(failureNotice(error));
      button.disabled = false;
    }
  };
  button.addEventListener("click", () => void fillCart());
  return h("div", {}, problem, button);
}
