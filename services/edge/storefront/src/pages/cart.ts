import type { Cart, CartLine } from "../../../../../gen/shop/api/v1/cart_pb.ts";
import { h } from "../dom.ts";
import { formatMoney, times } from "../money.ts";
import type { App, Page } from "../page.ts";
import { failureNotice, notice } from "../parts/notice.ts";
import { picture, productPath } from "../parts/product-card.ts";
import { quantity } from "../parts/quantity.ts";
import { counted } from "../words.ts";

export async function cartPage(app: App): Promise<Page> {
  const body = h("div", { class: "cart" });
  const status = h("p", { class: "hidden", role: "status" });
  const problem = h("div", {});

  const change = async (line: CartLine, wanted: number): Promise<void> => {
    problem.replaceChildren();
    try {
      const cart = await app.cart.setQuantity(line.sku, wanted);
      draw(cart);
      status.textContent =
        wanted === 0 ? `${line.name} is out of your cart.` : `${line.name}: ${wanted}. ${totalWords(cart)}`;
    } catch (error) {
      problem.replaceChildren(failureNotice(error, () => void change(line, wanted)));
    }
  };
  const draw = (cart: Cart): void => {
    const focused = document.activeElement?.getAttribute("aria-label");
    body.replaceChildren(...(cart.lines.length === 0 ? emptyCart(cart) : fullCart(cart, change)));
    // Drawn anew, the control in use keeps the focus; gone with its line, the heading takes it.
    if (focused) {
      const again = body.querySelector<HTMLElement>(`[aria-label="${CSS.escape(focused)}"]`);
      (again ?? document.querySelector("h1"))?.focus();
    }
  };
  draw(await app.cart.load());
  return { title: "Cart", content: h("div", {}, h("h1", {}, "Your cart"), status, problem, body) };
}

function totalWords({ total }: Cart): string {
  return total === undefined ? "" : `Total ${formatMoney(total)}.`;
}

function emptyCart({ notice: message }: Cart): HTMLElement[] {
  return [
    ...(message === "" ? [] : [notice(message)]),
    h("p", { class: "lead" }, "There is nothing in it yet."),
    h("p", {}, h("a", { class: "button", href: "/" }, "Look around")),
  ];
}

function fullCart(cart: Cart, change: (line: CartLine, wanted: number) => Promise<void>): HTMLElement[] {
  const { lines, total, notice: message } = cart;
  const count = lines.reduce((sum, line) => sum + line.quantity, 0);
  const summary = h(
    "aside",
    { class: "summary", "aria-label": "Summary" },
    h("dl", { class: "sums" }, sum(counted(count, "thing"), total && formatMoney(total)), sum("Delivery", "Free")),
    h("dl", { class: "sums sums-total" }, sum("Total", total ? formatMoney(total) : "not known at the moment")),
    h("a", { class: "button button-wide", href: "/checkout" }, "Check out"),
  );
  return [
    ...(message === "" ? [] : [notice(message)]),
    h(
      "div",
      { class: "split" },
      h(
        "ul",
        { class: "lines" },
        lines.map((line) => lineItem(line, change)),
      ),
      summary,
    ),
  ];
}

function sum(name: string, value: string | undefined): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "–"));
}

function lineItem(line: CartLine, change: (line: CartLine, wanted: number) => Promise<void>): HTMLElement {
  const { sku, name, unitPrice, picturePath } = line;
  const amount = quantity({
    value: line.quantity,
    min: 1,
    what: name,
    onChange: (wanted) => void change(line, wanted),
  });
  const remove = h(
    "button",
    { type: "button", class: "link-button", "aria-label": `Remove ${name}`, onclick: () => void change(line, 0) },
    "Remove",
  );
  return h(
    "li",
    { class: "line" },
    picture(picturePath, ""),
    h(
      "div",
      { class: "line-words" },
      h("h2", { class: "line-name" }, h("a", { href: productPath(sku) }, name)),
      h("p", { class: "line-each" }, unitPrice ? `${formatMoney(unitPrice)} each` : "Price not known at the moment"),
      h("div", { class: "line-controls" }, amount.node, remove),
    ),
    h("p", { class: "line-sum" }, unitPrice && formatMoney(times(unitPrice, line.quantity))),
  );
}
