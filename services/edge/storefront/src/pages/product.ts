import type { GetProductPageResponse, Product } from "../../../../../gen/shop/api/v1/catalog_pb.ts";
import { h } from "../dom.ts";
import { formatMoney } from "../money.ts";
import type { App, Page, Visit } from "../page.ts";
import { failureNotice } from "../parts/notice.ts";
import { picture, productCard } from "../parts/product-card.ts";
import { quantity } from "../parts/quantity.ts";
import { categoryTitle } from "../words.ts";

/** From so few on one is told how few. */
const fewMax = 10n;

export async function productPage(app: App, { params, signal }: Visit): Promise<Page> {
  const answer = await app.api.catalog.getProductPage({ sku: params.sku ?? "" }, { signal });
  const { product, recommendations, degraded } = answer;
  if (product === undefined) throw new Error("the answer holds no product");
  const content = h(
    "div",
    {},
    crumbs(product),
    h(
      "article",
      { class: "product" },
      picture(product.picturePath, product.name, { eager: true }),
      h(
        "div",
        { class: "product-words" },
        h("h1", {}, product.name),
        product.price && h("p", { class: "price" }, formatMoney(product.price)),
        h("p", { class: "product-description" }, product.description),
        stockLine(answer),
        buyForm(app, product, answer.available),
        h("p", { class: "sku" }, "Item ", h("code", {}, product.sku)),
      ),
    ),
    recommendations.length > 0 &&
      h(
        "section",
        { "aria-labelledby": "more-title" },
        h("h2", { id: "more-title" }, degraded.includes("recommendations") ? "Liked by many" : "Goes well with it"),
        h("ul", { class: "grid grid-short" }, recommendations.slice(0, 4).map(productCard)),
      ),
  );
  return { title: product.name, content };
}

function crumbs({ category }: Product): HTMLElement {
  return h(
    "nav",
    { class: "crumbs", "aria-label": "Breadcrumb" },
    h("a", { href: "/" }, "Everything"),
    category !== "" && h("a", { href: `/categories/${encodeURIComponent(category)}` }, categoryTitle(category)),
  );
}

function stockLine({ available, degraded }: GetProductPageResponse): HTMLElement {
  if (available === undefined) {
    const words = "We cannot see our shelves at the moment. You can order all the same; we tell you if it is gone.";
    return h("p", { class: "stock stock-unknown", "data-degraded": degraded.includes("stock") }, words);
  }
  if (available <= 0n) return h("p", { class: "stock stock-none" }, "Sold out");
  if (available <= fewMax) return h("p", { class: "stock stock-few" }, `Only ${available} left`);
  return h("p", { class: "stock" }, `In stock, ${available.toLocaleString("en-IE")} ready to ship`);
}

function buyForm(app: App, { sku, name }: Product, available: bigint | undefined): HTMLElement {
  const amount = quantity({ value: 1, min: 1, what: name });
  const button = h("button", { type: "submit", class: "button", disabled: available === 0n }, "Add to cart");
  const problem = h("div", {});
  const add = async (): Promise<void> => {
    if (button.disabled) return;
    button.disabled = true;
    problem.replaceChildren();
    try {
      await app.cart.add(sku, amount.value());
      app.announce(`${name} is in your cart.`);
    } catch (error) {
      problem.replaceChildren(failureNotice(error, () => void add()));
    } finally {
      button.disabled = false;
    }
  };
  const onsubmit = (event: Event): void => {
    event.preventDefault();
    void add();
  };
  return h("form", { class: "buy", onsubmit }, amount.node, button, problem);
}
