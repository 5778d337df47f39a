import type { CartStore } from "../cart.ts";
import { fill, h, s } from "../dom.ts";
import type { Session } from "../session.ts";
import { icon } from "./icons.ts";

/** What stays around the page. */
export interface Shell {
  readonly parts: readonly HTMLElement[];
  readonly main: HTMLElement;
  announce(message: string): void;
  shown(path: string): void;
}

export interface ShellDeps {
  readonly session: Session;
  readonly cart: CartStore;
  readonly go: (path: string) => void;
}

const toastMs = 4_000;

export function createShell({ session, cart, go }: ShellDeps): Shell {
  const main = h("main", { id: "main", tabindex: -1 });
  const skip = h("a", { class: "skip", href: "#main", onclick: skipTo(main) }, "Skip to content");
  const query = h("input", {
    ...{ type: "search", name: "q", placeholder: "Search the shop", autocomplete: "off", maxlength: 200 },
    ...{ "aria-label": "Search products", enterkeyhint: "search" },
  });
  const search = h(
    "form",
    { class: "search", role: "search", action: "/search", onsubmit: submitSearch(query, go) },
    query,
    h("button", { class: "icon-button", type: "submit", "aria-label": "Search" }, icon("search")),
  );
  const links = h("nav", { class: "header-links", "aria-label": "You" });
  const header = h(
    "header",
    { class: "header" },
    h(
      "div",
      { class: "header-inner" },
      h("a", { class: "logo", href: "/" }, mark(), h("span", {}, "Weft")),
      search,
      links,
    ),
  );
  const toast = h("p", { class: "toast", role: "status" });
  const footer = h(
    "footer",
    { class: "footer" },
    h("p", {}, "Weft is a demonstration. Nothing here is for sale, and no card is charged."),
    h("p", {}, "This page is an ordinary client of ", h("code", {}, "shop.api.v1"), "."),
  );

  const drawLinks = (): void => fill(links, headerLinks(session, cart, location.pathname));
  session.listen(drawLinks);
  cart.listen(drawLinks);
  drawLinks();

  let hiding: ReturnType<typeof setTimeout> | undefined;
  return {
    parts: [skip, header, main, footer, toast],
    main,
    announce(message) {
      clearTimeout(hiding);
      toast.textContent = message;
      toast.classList.add("toast-shown");
      hiding = setTimeout(() => {
        toast.classList.remove("toast-shown");
        toast.textContent = "";
      }, toastMs);
    },
    shown(path) {
      drawLinks();
      // A question about the page that one has left.
      for (const dialog of document.querySelectorAll("dialog")) dialog.close();
      query.value = path === "/search" ? (new URLSearchParams(location.search).get("q") ?? "") : "";
    },
  };
}

function headerLinks(session: Session, cart: CartStore, path: string): HTMLElement[] {
  const link = (href: string, name: Parameters<typeof icon>[0], label: string, badge = 0): HTMLElement =>
    h(
      "a",
      { class: "header-link", href, ...currentOf(href, path) },
      icon(name),
      h("span", { class: "header-label" }, label),
      badge > 0 && h("span", { class: "badge" }, badge > 99 ? "99+" : badge, h("span", { class: "hidden" }, " items")),
    );
  const count = cart.itemCount();
  const known = session.token() !== undefined;
  const scopes = session.scopes();
  return [
    ...(scopes.includes("warehouse") ? [link("/warehouse", "shelf", "Warehouse")] : []),
    ...(scopes.includes("manager") ? [link("/today", "chart", "Today")] : []),
    ...(known ? [link("/orders", "box", "Orders"), link("/profile", "person", "Profile")] : []),
    ...(known ? [] : [link("/log-in", "person", "Log in")]),
    link("/cart", "cart", "Cart", count),
  ];
}

/** The very page, or one below it. */
function currentOf(href: string, path: string): { "aria-current"?: "page" | "true" } {
  if (path === href) return { "aria-current": "page" };
  return path.startsWith(`${href}/`) ? { "aria-current": "true" } : {};
}

function submitSearch(query: HTMLInputElement, go: (path: string) => void): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    const words = query.value.trim();
    if (words === "") return query.focus();
    query.blur();
    go(`/search?q=${encodeURIComponent(words)}`);
  };
}

function skipTo(main: HTMLElement): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    main.focus();
    main.scrollIntoView();
  };
}

function mark(): SVGSVGElement {
  const line = (d: string) => s("path", { d });
  return s(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", width: 32, height: 32, "aria-hidden": "true" },
    line("M2 10h15.5m9 0H30M2 22h3.5m9 0H30"),
    line("M10 2v3.5m0 9V30M22 2v15.5m0 9V30"),
  );
}
