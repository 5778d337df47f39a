import { Code, ConnectError } from "@connectrpc/connect";
import { fill } from "./dom.ts";
import type { App, Page, Place, Visit } from "./page.ts";
import { matchRoute, type Routes } from "./routes.ts";

export interface Router {
  go(path: string, options?: { replace?: boolean }): void;
  reload(): void;
  start(): void;
}

export interface RouterDeps {
  readonly routes: Routes<Place>;
  readonly notFound: Place;
  readonly main: HTMLElement;
  readonly app: () => App;
  /** What is shown when a page cannot be. */
  readonly failed: (error: unknown, retry: () => void) => Page;
  /** Called when a page is shown. */
  readonly shown: (path: string) => void;
}

/** Kept in the browser's history beside each entry. */
interface Entry {
  readonly key: string;
  readonly scrollY: number;
}

/** Lists that one may come back to. */
const keptPagesMax = 8;

/** Shows the page that the address names, without loading the document again. */
export function createRouter(deps: RouterDeps): Router {
  const { routes, notFound, main, app, failed, shown } = deps;
  const kept = new Map<string, Page>();
  let leaving = new AbortController();
  let entry: Entry = { key: crypto.getRandomValues(new Uint32Array(2)).join("-"), scrollY: 0 };
  let first = true;

  const display = (page: Page, scrollY: number): void => {
    document.title = page.title === "" ? "Weft" : `${page.title} · Weft`;
    fill(main, page.content);
    shown(location.pathname);
    window.scrollTo({ top: scrollY, behavior: "instant" });
    const heading = main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    // On the first page the reader begins where he likes; after that the new heading is what has changed.
    if (!first) heading?.focus({ preventScroll: true });
    first = false;
  };
  const loginPath = (): string => `/log-in?next=${encodeURIComponent(location.pathname + location.search)}`;

  const show = async (scrollY = 0): Promise<void> => {
    leaving.abort();
    leaving = new AbortController();
    const { signal } = leaving;
    const { target, params } = matchRoute(routes, location.pathname) ?? { target: notFound, params: {} };
    if (target.needsLogIn && app().session.token() === undefined) return go(loginPath(), { replace: true });
    const visit: Visit = { path: location.pathname, params, query: new URLSearchParams(location.search), signal };
    const { key } = entry;
    main.setAttribute("aria-busy", "true");
    try {
      const page = await target.load(app(), visit);
      if (signal.aborted) return;
      if (page.keep) keep(key, page);
      display(page, scrollY);
    } catch (error) {
      if (signal.aborted) return;
      const { code } = ConnectError.from(error);
      if (target.needsLogIn && code === Code.Unauthenticated) return go(loginPath(), { replace: true });
      display(
        failed(error, () => void show()),
        0,
      );
    } finally {
      if (!signal.aborted) main.removeAttribute("aria-busy");
    }
  };
  const keep = (key: string, page: Page): void => {
    kept.set(key, page);
    const [oldest] = kept.keys();
    if (kept.size > keptPagesMax && oldest !== undefined) kept.delete(oldest);
  };
  const rememberScroll = (): void => {
    entry = { ...entry, scrollY: window.scrollY };
    history.replaceState(entry, "");
  };

  function go(path: string, { replace = false } = {}): void {
    rememberScroll();
    if (!replace) entry = { key: crypto.getRandomValues(new Uint32Array(2)).join("-"), scrollY: 0 };
    if (replace) history.replaceState(entry, "", path);
    else history.pushState(entry, "", path);
    void show();
  }
  const goBack = (event: PopStateEvent): void => {
    entry = (event.state as Entry | null) ?? entry;
    const page = kept.get(entry.key);
    if (page === undefined) return void show(entry.scrollY);
    leaving.abort();
    leaving = new AbortController();
    main.removeAttribute("aria-busy");
    display(page, entry.scrollY);
  };
  const follow = (event: MouseEvent): void => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || event.defaultPrevented || event.button !== 0 || link.target !== "" || link.download) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    go(link.pathname + link.search);
  };

  return {
    go,
    reload: () => void show(window.scrollY),
    start() {
      history.scrollRestoration = "manual";
      entry = (history.state as Entry | null) ?? entry;
      history.replaceState(entry, "");
      window.addEventListener("popstate", goBack);
      window.addEventListener("pagehide", rememberScroll);
      document.addEventListener("click", follow);
      void show(entry.scrollY);
    },
  };
}
