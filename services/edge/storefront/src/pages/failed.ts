import { h } from "../dom.ts";
import { describeFailure } from "../failure.ts";
import type { Page } from "../page.ts";

/** Stands where a page could not be shown. */
export function failedPage(error: unknown, retry: () => void): Page {
  const { title, message, requestId, canRetry } = describeFailure(error);
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, title),
    h("p", { class: "lead" }, message),
    h(
      "p",
      { class: "page-actions" },
      canRetry && h("button", { type: "button", class: "button", onclick: retry }, "Try again"),
      h("a", { class: "button button-quiet", href: "/" }, "To the shop"),
    ),
    requestId !== "" && h("p", { class: "request-id" }, "Request ", h("code", {}, requestId)),
  );
  return { title, content };
}
