import { join } from "node:path";
import { startChild, tailOf } from "../processes/child.ts";
import type { Environment } from "./environment.ts";

export interface BuildOptions {
  readonly directory: string;
  readonly base: Environment;
  readonly cwd: string;
}

/** Makes the page that the edge serves, in a process of its own; quick when its sources have not changed. */
export async function buildStorefront({ directory, base, cwd }: BuildOptions): Promise<void> {
  const logFile = join(directory, "logs", "storefront.log");
  const build = await startChild({
    name: "storefront",
    command: process.execPath,
    args: ["services/edge/storefront/build.ts"],
    env: base,
    cwd,
    logFile,
  });
  const { code } = await build.exited;
  if (code !== 0) {
    throw new Error(`the storefront could not be built; the end of ${logFile}:\n${await tailOf(logFile)}`);
  }
}
