import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { locateTool } from "./tool.ts";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A Chromium with a profile of its own. Disposing of it ends it and removes the profile. */
export interface TestBrowser extends AsyncDisposable {
  /** A window of somebody who has never been here; it is closed with the others at the latest. */
  visit(options?: BrowserContextOptions): Promise<Visitor>;
}

export interface Visitor extends AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What a page has complained of: uncaught errors, and the console's, which are also broken rules of the page's policy. */
  readonly complaints: readonly string[];
}

export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: await locateTool("chromium"), args: ARGUMENTS });
  return {
    async visit(options = {}) {
      const viewport = { width: 1280, height: 900 };
      const context = await browser.newContext({ viewport, reducedMotion: "reduce", ...options });
      const complaints: string[] = [];
      context.on("weberror", (error) => complaints.push(String(error.error())));
      context.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      const page = await context.newPage();
      return { context, page, complaints, [Symbol.asyncDispose]: () => context.close() };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
