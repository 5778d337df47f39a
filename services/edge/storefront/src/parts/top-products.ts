import type { ListTopProductsResponse } from "../../../../../gen/shop/api/v1/report_pb.ts";
import { h } from "../dom.ts";
import { notice } from "./notice.ts";
import { picture, productPath } from "./product-card.ts";

const degradedWords: Readonly<Record<string, string>> = {
  leaderboard: "The leaderboard is away at the moment; the database has counted.",
  names: "The catalog is away at the moment; products are shown by their number.",
};

/** The best-selling products, the best first. */
export function topProducts({ products, degraded }: ListTopProductsResponse): HTMLElement {
  const notes = degraded.flatMap((part) => degradedWords[part] ?? []);
  return h(
    "div",
    {},
    notes.map((words) => notice(words)),
    products.length === 0
      ? h("p", { class: "lead" }, "Nothing has been sold yet.")
      : h(
          "ol",
          { class: "top" },
          products.map(({ sku, name, quantity, picturePath }) =>
            h(
              "li",
              { "data-sku": sku },
              picture(picturePath, ""),
              h("a", { href: productPath(sku) }, name === "" ? sku : name),
              h("span", { class: "top-count" }, `${quantity.toLocaleString("en-IE")} sold`),
            ),
          ),
        ),
  );
}
