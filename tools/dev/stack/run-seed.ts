import { join } from "node:path";
import { startChild, tailOf } from "../processes/child.ts";
import type { Environment } from "./environment.ts";
import type { ServiceName } from "./ports.ts";

export interface SeedOptions {
  readonly directory: string;
  readonly base: Environment;
  readonly mysqlUrls: ReadonlyMap<ServiceName, string>;
  /** Where the sandbox provider is to remember the orders of the last thirty days; there are none if this is left out. */
  readonly provider: { readonly url: string; readonly key: string } | undefined;
  readonly cwd: string;
}

/** Fills an empty shop, in a process of its own; the services have made their tables by then. Harmless when it is full. */
export async function runSeed({ directory, base, mysqlUrls, provider, cwd }: SeedOptions): Promise<void> {
  const logFile = join(directory, "logs", "seed.log");
  const seed = await startChild({
    name: "seed",
    command: process.execPath,
    args: ["tools/dev/seed.ts"],
    env: {
      ...base,
      ...Object.fromEntries([...mysqlUrls].map(([service, url]) => [`${service.toUpperCase()}__MYSQL_URL`, url])),
      ...(provider && { PROVIDER_URL: provider.url, PROVIDER_KEY: provider.key }),
    },
    cwd,
    logFile,
  });
  const { code } = await seed.exited;
  if (code !== 0)
    throw new Error(`the demo data could not be written; the end of ${logFile}:\n${await tailOf(logFile)}`);
}
