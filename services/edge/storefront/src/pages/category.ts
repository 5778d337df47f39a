import { h } from "../dom.ts";
import type { App, Page, Visit } from "../page.ts";
import { pageSize, productGrid } from "../parts/product-grid.ts";
import { categoryTitle } from "../words.ts";

export async function categoryPage({ api }: App, { params, signal }: Visit): Promise<Page> {
  const category = params.name ?? "";
  const list = (pageToken: string) => api.catalog.listProducts({ category, pageSize, pageToken });
  const first = await api.catalog.listProducts({ category, pageSize }, { signal });
  const title = categoryTitle(category);
  const content = h(
    "div",
    {},
    h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: "/" }, "Everything")),
    h("h1", {}, title),
    h("h2", { class: "hidden" }, "Products"),
    first.products.length === 0
      ? h("p", { class: "lead" }, "There is nothing here at the moment.")
      : productGrid(first, list),
  );
  return { title, content, keep: true };
}
