import type { Product } from "../../../../../gen/shop/api/v1/catalog_pb.ts";
import { h } from "../dom.ts";
import { formatMoney } from "../money.ts";

export function productPath(sku: string): string {
  return `/products/${encodeURIComponent(sku)}`;
}

/** A product's picture in a frame that keeps its place while it loads, and stays plain if there is none. */
export function picture(path: string, alt: string, options: { eager?: boolean } = {}): HTMLElement {
  const image = h("img", {
    ...{ src: path, alt, width: 400, height: 400, decoding: "async" },
    loading: options.eager ? "eager" : "lazy",
  });
  image.addEventListener("error", () => image.remove());
  return h("div", { class: "picture" }, image);
}

export function productCard(product: Product): HTMLElement {
  const { sku, name, price, picturePath } = product;
  return h(
    "li",
    { class: "card" },
    picture(picturePath, ""),
    h("h3", { class: "card-name" }, h("a", { href: productPath(sku) }, name)),
    price && h("p", { class: "card-price" }, formatMoney(price)),
  );
}
