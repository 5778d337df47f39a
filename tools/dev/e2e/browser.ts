import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { aptInstall, canInstall } from "../engines/apt.ts";
import { findExecutable } from "../processes/executables.ts";

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

/** Debian's Chromium: on the PATH, else by apt-get. An Error names what to install when neither works. */
async function locateChromium(): Promise<string> {
  const found = findExecutable("chromium");
  if (found !== undefined) return found;
  if (await canInstall()) await aptInstall(["chromium"], (line) => process.stderr.write(`chromium: ${line}\n`));
  const installed = findExecutable("chromium");
  if (installed === undefined) throw new Error('missing: chromium; install with "apt-get install chromium"');
  return installed;
}

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
  const browser = await chromium.launch({ executablePath: await locateChromium(), args: ARGUMENTS });
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
