import type { Order } from "../../../../../gen/shop/api/v1/order_pb.ts";
import { h } from "../dom.ts";
import type { App } from "../page.ts";
import { failureNotice } from "./notice.ts";

/** A button that asks once more, then cancels the order. */
export function cancelButton(app: App, orderId: string, onCancelled: (order: Order | undefined) => void): HTMLElement {
  const button = h("button", { type: "button", class: "button button-quiet" }, "Cancel order");
  button.addEventListener("click", () => {
    const dialog = cancelDialog(app, orderId, onCancelled);
    document.body.append(dialog);
    dialog.showModal();
  });
  return button;
}

function cancelDialog(app: App, orderId: string, onCancelled: (order: Order | undefined) => void): HTMLDialogElement {
  const problem = h("div", {});
  const no = h("button", { type: "button", class: "button button-quiet", onclick: () => dialog.close() }, "Keep it");
  const yes = h("button", { type: "button", class: "button", onclick: () => void cancel() }, "Yes, cancel it");
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "cancel-title", onclose: () => dialog.remove() },
    h("h2", { id: "cancel-title" }, "Cancel this order?"),
    h("p", {}, "Nothing will be charged. What was charged comes back to you."),
    problem,
    h("div", { class: "dialog-buttons" }, no, yes),
  );
  const cancel = async (): Promise<void> => {
    yes.disabled = true;
    try {
      const { order } = await app.api.orders.cancelOrder({ orderId });
      dialog.close();
      app.announce("Your order is cancelled.");
      onCancelled(order);
    } catch (error) {
      problem.replaceChildren(failureNotice(error));
      yes.disabled = false;
    }
  };
  return dialog;
}
