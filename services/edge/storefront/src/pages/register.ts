import { Code, ConnectError } from "@connectrpc/connect";
import { h } from "../dom.ts";
import { logIn } from "../log-in.ts";
import type { App, Page, Visit } from "../page.ts";
import { field, form } from "../parts/field.ts";
import { safeNext } from "../routes.ts";

export function registerPage(app: App, { query }: Visit): Page {
  const next = safeNext(query.get("next"));
  const displayName = field({
    ...{ name: "display_name", label: "Your name" },
    attributes: { required: true, autocomplete: "name", maxlength: 100 },
  });
  const email = field({
    ...{ name: "email", label: "E-mail", hint: "Where we write to about your orders." },
    attributes: { type: "email", required: true, autocomplete: "username", maxlength: 254 },
  });
  const password = field({
    ...{ name: "password", label: "Password", hint: "At least 8 characters." },
    attributes: { type: "password", required: true, autocomplete: "new-password", minlength: 8, maxlength: 128 },
  });
  const fields = [displayName, email, password];
  const content = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Open an account"),
    form({
      fields,
      content: fields.map(({ node }) => node),
      submitLabel: "Open account",
      submit: async () => {
        const [address, secret] = [email.input.value.trim(), password.input.value];
        await app.api.accounts.register({
          email: address,
          password: secret,
          displayName: displayName.input.value.trim(),
        });
        await logIn(app, address, secret);
        app.announce("Welcome to Weft.");
        app.go(next, { replace: true });
      },
      explain: (error) =>
        ConnectError.from(error).code === Code.AlreadyExists
          ? "There is an account with this e-mail. Log in instead?"
          : undefined,
    }),
    h("p", {}, "You have one? ", h("a", { href: `/log-in?next=${encodeURIComponent(next)}` }, "Log in"), "."),
  );
  return { title: "Open an account", content };
}
