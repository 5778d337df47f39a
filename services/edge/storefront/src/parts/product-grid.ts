import type { Product } from "../../../../../gen/shop/api/v1/catalog_pb.ts";
import { h } from "../dom.ts";
import { failureNotice } from "./notice.ts";
import { productCard } from "./product-card.ts";

/** A page of a list, as the contract gives it. */
export interface ProductsPage {
  readonly products: readonly Product[];
  readonly nextPageToken: string;
}

export const pageSize = 24;

/** Products in a grid, with a button for more while there are more. */
export function productGrid(first: ProductsPage, loadMore: (pageToken: string) => Promise<ProductsPage>): HTMLElement {
  const grid = h("ul", { class: "grid" }, first.products.map(productCard));
  const foot = h("div", { class: "grid-foot", "aria-live": "polite" });

  const draw = (pageToken: string, error?: unknown): void => {
    foot.replaceChildren();
    if (pageToken === "") return;
    const more = h("button", { type: "button", class: "button button-quiet" }, "Show more");
    more.addEventListener("click", () => void load(pageToken, more));
    foot.append(...(error === undefined ? [more] : [failureNotice(error, () => void load(pageToken, more))]));
  };
  const load = async (pageToken: string, button: HTMLButtonElement): Promise<void> => {
    if (button.disabled) return;
    button.disabled = true;
    button.textContent = "Loading…";
    try {
      const { products, nextPageToken } = await loadMore(pageToken);
      const cards = products.map(productCard);
      grid.append(...cards);
      draw(nextPageToken);
      // The reader goes on where the new ones begin.
      cards[0]?.querySelector("a")?.focus();
    } catch (error) {
      draw(pageToken, error);
    }
  };
  draw(first.nextPageToken);
  return h("div", {}, grid, foot);
}
