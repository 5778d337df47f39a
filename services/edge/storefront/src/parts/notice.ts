import { type Child, h } from "../dom.ts";
import { describeFailure } from "../failure.ts";

/** Something one should know, not an error. */
export function notice(...children: Child[]): HTMLElement {
  return h("p", { class: "notice", role: "note" }, ...children);
}

/** An error in human words, with the number to quote and, where it may help, a way to try again. */
export function failureNotice(error: unknown, retry?: () => void): HTMLElement {
  const { title, message, requestId, canRetry } = describeFailure(error);
  return h(
    "div",
    { class: "notice notice-error", role: "alert" },
    h("p", {}, h("strong", {}, `${title}. `), message),
    requestId !== "" && h("p", { class: "request-id" }, "Request ", h("code", {}, requestId)),
    canRetry && retry && h("button", { type: "button", class: "button button-quiet", onclick: retry }, "Try again"),
  );
}
