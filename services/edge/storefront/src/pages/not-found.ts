import { h } from "../dom.ts";
import type { Page } from "../page.ts";

export function notFoundPage(): Page {
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "There is no such page"),
    h("p", { class: "lead" }, "The link may be old, or mistyped."),
    h("p", {}, h("a", { class: "button", href: "/" }, "To the shop")),
  );
  return { title: "No such page", content };
}
