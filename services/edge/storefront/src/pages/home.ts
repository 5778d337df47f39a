import type { Category } from "../../../../../gen/shop/api/v1/catalog_pb.ts";
import { h } from "../dom.ts";
import type { App, Page, Visit } from "../page.ts";
import { pageSize, productGrid } from "../parts/product-grid.ts";
import { weave } from "../parts/weave.ts";
import { categoryTitle, counted } from "../words.ts";

/** Who we are, what there is. */
export async function homePage({ api }: App, { signal }: Visit): Promise<Page> {
  const list = (pageToken: string) => api.catalog.listProducts({ pageSize, pageToken });
  const [products, categories] = await Promise.all([
    api.catalog.listProducts({ pageSize }, { signal }),
    // The products can be seen without them.
    api.catalog.listCategories({}, { signal }).then(
      (answer) => answer.categories,
      () => [],
    ),
  ]);
  const content = h(
    "div",
    {},
    h(
      "section",
      { class: "hero", "aria-labelledby": "hero-title" },
      h(
        "div",
        { class: "hero-words" },
        h("h1", { id: "hero-title" }, "Plain things, well made."),
        h(
          "p",
          { class: "lead" },
          "For the kitchen, the desk and the way home. Made to be used for years and mended when they break.",
        ),
      ),
      h("div", { class: "hero-cloth" }, weave(32, 24)),
    ),
    categories.length > 0 && categoryList(categories),
    h(
      "section",
      { "aria-labelledby": "all-title" },
      h("h2", { id: "all-title" }, "Everything"),
      productGrid(products, list),
    ),
  );
  return { title: "", content, keep: true };
}

function categoryList(categories: readonly Category[]): HTMLElement {
  return h(
    "nav",
    { class: "categories", "aria-labelledby": "categories-title" },
    h("h2", { id: "categories-title" }, "Shop by category"),
    h(
      "ul",
      {},
      categories.map(({ name, productCount }) =>
        h(
          "li",
          {},
          h(
            "a",
            { href: `/categories/${encodeURIComponent(name)}` },
            h("span", { class: "category-name" }, categoryTitle(name)),
            h("span", { class: "category-count" }, counted(productCount, "thing")),
          ),
        ),
      ),
    ),
  );
}
