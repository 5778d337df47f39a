import type { OrderSummary } from "../../../../../gen/shop/api/v1/order_pb.ts";
import { h } from "../dom.ts";
import { formatMoney } from "../money.ts";
import { canCancel } from "../order-states.ts";
import type { App, Page, Visit } from "../page.ts";
import { cancelButton } from "../parts/cancel-order.ts";
import { failureNotice } from "../parts/notice.ts";
import { stateBadge } from "../parts/state-badge.ts";
import { formatTime } from "../time.ts";
import { counted } from "../words.ts";

const pageSize = 20;

export async function ordersPage(app: App, { signal }: Visit): Promise<Page> {
  const first = await app.api.orders.listOrders({ pageSize }, { signal });
  const list = h(
    "ul",
    { class: "orders" },
    first.orders.map((order) => orderItem(app, order)),
  );
  const foot = h("div", { class: "grid-foot" });

  const load = async (pageToken: string, button: HTMLButtonElement): Promise<void> => {
    if (button.disabled) return;
    button.disabled = true;
    try {
      const { orders, nextPageToken } = await app.api.orders.listOrders({ pageSize, pageToken });
      const items = orders.map((order) => orderItem(app, order));
      list.append(...items);
      drawFoot(nextPageToken);
      items[0]?.querySelector("a")?.focus();
    } catch (error) {
      button.disabled = false;
      foot.replaceChildren(failureNotice(error, () => void load(pageToken, button)));
    }
  };
  const drawFoot = (pageToken: string): void => {
    foot.replaceChildren();
    if (pageToken === "") return;
    const button = h("button", { type: "button", class: "button button-quiet" }, "Show older orders");
    button.addEventListener("click", () => void load(pageToken, button));
    foot.append(button);
  };
  drawFoot(first.nextPageToken);
  const content = h("div", {}, h("h1", {}, "Your orders"), ...(first.orders.length === 0 ? noOrders() : [list, foot]));
  return { title: "Your orders", content };
}

function noOrders(): HTMLElement[] {
  return [
    h("p", { class: "lead" }, "You have not ordered anything yet."),
    h("p", {}, h("a", { class: "button", href: "/" }, "Look around")),
  ];
}

function orderItem(app: App, summary: OrderSummary): HTMLElement {
  const { orderId, total, itemCount, placedAt } = summary;
  const item = h("li", { class: "order", "data-order": orderId });
  const placedMs = placedAt && Number(placedAt.seconds) * 1_000;
  const draw = (state: OrderSummary["state"]): void =>
    item.replaceChildren(
      h(
        "div",
        { class: "order-words" },
        h(
          "h2",
          { class: "order-when" },
          h(
            "a",
            { href: `/orders/${encodeURIComponent(orderId)}` },
            placedMs === undefined
              ? "Order"
              : h("time", { datetime: new Date(placedMs).toISOString() }, formatTime(placedMs)),
          ),
        ),
        h("p", { class: "order-what" }, counted(itemCount, "thing"), total && `, ${formatMoney(total)}`),
        h("p", { class: "sku" }, h("code", {}, orderId)),
      ),
      stateBadge(state),
      h(
        "div",
        { class: "order-actions" },
        ...(canCancel(state) ? [cancelButton(app, orderId, (order) => draw(order?.state ?? state))] : []),
      ),
    );
  draw(summary.state);
  return item;
}
