import { Code, ConnectError } from "@connectrpc/connect";
import { h } from "../dom.ts";
import { logIn } from "../log-in.ts";
import type { App, Page, Visit } from "../page.ts";
import { field, form } from "../parts/field.ts";
import { safeNext } from "../routes.ts";

export function logInPage(app: App, { query }: Visit): Page {
  const next = safeNext(query.get("next"));
  const email = field({
    ...{ name: "email", label: "E-mail" },
    attributes: { type: "email", required: true, autocomplete: "username", maxlength: 254 },
  });
  const password = field({
    ...{ name: "password", label: "Password" },
    attributes: { type: "password", required: true, autocomplete: "current-password", maxlength: 128 },
  });
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Log in"),
    next !== "/" && h("p", { class: "lead" }, "Please log in to go on."),
    form({
      fields: [email, password],
      content: [email.node, password.node],
      submitLabel: "Log in",
      submit: async () => {
        await logIn(app, email.input.value.trim(), password.input.value);
        app.go(next, { replace: true });
      },
      explain: (error) =>
        ConnectError.from(error).code === Code.Unauthenticated
          ? "That e-mail and password do not belong together."
          : undefined,
    }),
    h("p", {}, "New here? ", h("a", { href: `/register?next=${encodeURIComponent(next)}` }, "Open an account"), "."),
  );
  return { title: "Log in", content };
}
