import { h } from "../dom.ts";
import type { App, Page, Visit } from "../page.ts";
import { type ProductsPage, pageSize, productGrid } from "../parts/product-grid.ts";

export async function searchPage({ api }: App, { query: parameters, signal }: Visit): Promise<Page> {
  const query = parameters.get("q")?.trim().slice(0, 200) ?? "";
  if (query === "") return nothing("Search", "Write into the field above what you are looking for.");
  const search = (pageToken: string) => api.catalog.searchProducts({ query, pageSize, pageToken });
  const first = await api.catalog.searchProducts({ query, pageSize }, { signal });
  const title = `“${query}”`;
  if (first.products.length === 0) {
    return nothing(title, "Nothing matches. Try fewer or other words: a material, a use, a kind of thing.");
  }
  const content = h(
    "div",
    {},
    h("h1", {}, title),
    h("p", { class: "lead", role: "status" }, resultsMessage(first)),
    h("h2", { class: "hidden" }, "Products"),
    productGrid(first, search),
  );
  return { title, content, keep: true };
}

function resultsMessage({ products, nextPageToken }: ProductsPage): string {
  if (nextPageToken !== "") return `The best ${products.length} first.`;
  return products.length === 1 ? "One thing matches." : `${products.length} things match.`;
}

function nothing(title: string, message: string): Page {
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, title),
    h("p", { class: "lead", role: "status" }, message),
    h("p", {}, h("a", { class: "button button-quiet", href: "/" }, "See everything")),
  );
  return { title, content };
}
