import type { Cart } from "../../../../../gen/shop/api/v1/cart_pb.ts";
import type { Purchase } from "../checkout.ts";
import { h } from "../dom.ts";
import { formatMoney, times } from "../money.ts";
import type { App, Page } from "../page.ts";
import { failureNotice, notice } from "../parts/notice.ts";

/** The sandbox provider's tokens: what it does with each is the point. */
const methods = [
  { token: "tok_visa", name: "Visa ending 4242", hint: "Is authorized and charged" },
  { token: "tok_slow", name: "Visa ending 1010", hint: "The bank takes ten seconds" },
  { token: "tok_declined", name: "Mastercard ending 0002", hint: "Is declined: not enough money" },
  { token: "tok_capture_fails", name: "Mastercard ending 0341", hint: "Is authorized, then cannot be charged" },
] as const;

export async function checkoutPage(app: App): Promise<Page> {
  const unanswered = app.checkout.unanswered();
  const cart = await app.cart.load();
  if (unanswered === undefined && cart.lines.length === 0) return emptyCheckout(cart);

  const lines = unanswered?.lines ?? cart.lines.map(({ sku, quantity }) => ({ sku, quantity }));
  const choice = methodChoice(unanswered?.paymentMethod ?? methods[0].token, unanswered !== undefined);
  const button = h("button", { type: "submit", class: "button button-wide" }, buttonLabel(unanswered, cart));
  const status = h("p", { class: "form-status", role: "status" });
  const problem = h("div", {});

  const place = async (): Promise<void> => {
    if (button.disabled) return;
    button.disabled = true;
    choice.lock();
    problem.replaceChildren();
    status.textContent = "Placing your order…";
    try {
      const { orderId } = await app.checkout.place({ lines, paymentMethod: choice.value() });
      // An order empties the cart a moment later; nobody should see it full until then.
      app.cart.forget();
      app.go(`/orders/${encodeURIComponent(orderId)}`, { replace: true });
    } catch (error) {
      status.textContent = "";
      const open = app.checkout.unanswered() !== undefined;
      if (!open) choice.unlock();
      button.textContent = open ? "Ask again" : "Try again";
      problem.replaceChildren(...(open ? [notice(unansweredWords)] : []), failureNotice(error));
      button.disabled = false;
    }
  };
  const onsubmit = (event: Event): void => {
    event.preventDefault();
    void place();
  };
  const content = h(
    "div",
    {},
    h("h1", {}, "Check out"),
    unanswered ? notice(unansweredWords) : cart.notice !== "" && notice(cart.notice),
    h(
      "form",
      { class: "split", onsubmit },
      choice.node,
      h("aside", { class: "summary", "aria-label": "Your order" }, summaryLines(cart, lines), problem, status, button),
    ),
  );
  return { title: "Check out", content };
}

const unansweredWords =
  "We sent your order but heard nothing back, so it may have arrived. Asking again tells, and never orders or charges twice.";

function emptyCheckout({ notice: message }: Cart): Page {
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Check out"),
    message !== "" && notice(message),
    h("p", { class: "lead" }, "There is nothing in your cart to pay for."),
    h("p", {}, h("a", { class: "button", href: "/" }, "Look around")),
  );
  return { title: "Check out", content };
}

function buttonLabel(unanswered: Purchase | undefined, { total }: Cart): string {
  if (unanswered) return "Ask again";
  return total ? `Pay ${formatMoney(total)}` : "Place the order";
}

function methodChoice(chosen: string, locked: boolean) {
  const radios = methods.map(({ token }) =>
    h("input", { type: "radio", name: "method", value: token, ...(token === chosen && { checked: true }) }),
  );
  const fields = h(
    "fieldset",
    { class: "methods", disabled: locked },
    h("legend", {}, h("h2", {}, "How would you like to pay?")),
    h("p", { class: "field-hint" }, "A sandbox: each card shows what a bank can do. No money moves."),
    methods.map(({ token, name, hint }, index) =>
      h(
        "label",
        { class: "method", "data-method": token },
        radios[index],
        h(
          "span",
          { class: "method-words" },
          h("span", { class: "method-name" }, name),
          h("span", { class: "method-hint" }, hint),
        ),
      ),
    ),
  );
  return {
    node: fields,
    value: () => radios.find(({ checked }) => checked)?.value ?? methods[0].token,
    lock: () => fields.setAttribute("disabled", ""),
    unlock: () => fields.removeAttribute("disabled"),
  };
}

function summaryLines(cart: Cart, lines: Purchase["lines"]): HTMLElement {
  const rows = lines.map(({ sku, quantity }) => {
    const known = cart.lines.find((line) => line.sku === sku);
    const price = known?.unitPrice && formatMoney(times(known.unitPrice, quantity));
    return h("div", {}, h("dt", {}, `${quantity} × ${known?.name ?? sku}`), h("dd", {}, price));
  });
  return h(
    "div",
    {},
    h("dl", { class: "sums" }, rows),
    cart.total &&
      cart.lines.length > 0 &&
      h("dl", { class: "sums sums-total" }, h("div", {}, h("dt", {}, "Total"), h("dd", {}, formatMoney(cart.total)))),
  );
}
