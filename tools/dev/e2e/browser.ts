import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core";
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

/** A browser with a profile of its own. Disposing of it ends it and removes the profile. */
export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
  /** What a page has complained of: uncaught errors, and the console's, which are also broken rules of the page's policy. */
  readonly complaints: readonly string[];
}

export async function startBrowser(options: BrowserContextOptions = {}): Promise<TestBrowser> {
  const executablePath = await locateChromium();
  const profile = await mkdtemp(join(tmpdir(), "weft-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    ...{ executablePath, args: ARGUMENTS, viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" },
    ...options,
  });
  const complaints: string[] = [];
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return {
    context,
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
