import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const directory = new URL("../peers/", import.meta.url);

/** Installs the peers' own packages, as their lockfile has them, unless they are there. @throws Error if npm cannot */
export async function installPeers(say: (line: string) => void): Promise<void> {
  // npm writes it last: what it installed, by the same keys as the lockfile.
  const installed = await packagesOf("node_modules/.package-lock.json").catch(() => "");
  if (installed === (await packagesOf("package-lock.json"))) return;
  say("installing the peers' packages in tools/bench/peers (once, about 10 s)");
  await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: fileURLToPath(directory) });
}

async function packagesOf(file: string): Promise<string> {
  const { packages } = JSON.parse(await readFile(new URL(file, directory), "utf8")) as {
    packages: Record<string, { version?: string; optional?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([path, { optional }]) => path !== "" && !optional)
    .map(([path, { version }]) => `${path}@${version}`)
    .sort()
    .join("\n");
}
