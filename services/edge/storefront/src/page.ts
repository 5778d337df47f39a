import type { Api } from "./api.ts";
import type { CartStore } from "./cart.ts";
import type { Checkout } from "./checkout.ts";
import type { Session } from "./session.ts";

/** What pages are made with. */
export interface App {
  readonly api: Api;
  readonly session: Session;
  readonly cart: CartStore;
  readonly checkout: Checkout;
  /** Tells a screen reader, and shows for a moment. */
  announce(message: string): void;
  go(path: string, options?: { replace?: boolean }): void;
  /** Loads the page anew. */
  reload(): void;
}

/** One look at a page. */
export interface Visit {
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Aborted when one leaves. */
  readonly signal: AbortSignal;
}

/** What is shown. Its content holds one h1, which is focused. */
export interface Page {
  readonly title: string;
  readonly content: Node;
  /** Going back shows the very same page, grown as it was: for lists. */
  readonly keep?: boolean;
}

export type LoadPage = (app: App, visit: Visit) => Page | Promise<Page>;

/** A page, and whether one must be logged in to see it. */
export interface Place {
  readonly load: LoadPage;
  readonly needsLogIn?: boolean;
}
