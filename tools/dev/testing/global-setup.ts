import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { ENGINE_NAMES } from "../engines/engine.ts";
import { createEngines, type Engines } from "../engines/engines.ts";
import { identify, isAlive, type ProcessIdentity } from "../processes/identity.ts";
import { bringDown } from "../supervisor/bring-up.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Answers `GET /<engine>` with the engine's URL, starting it when nobody asked before. */
    weftEnginesUrl: string;
    /** A folder of this run, removed at its end. Absolute. */
    weftTestDirectory: string;
    /** Kept from run to run: MariaDB's template. Absolute. */
    weftCacheDirectory: string;
  }
}

const WEFT_DIRECTORY = fileURLToPath(new URL("../../../.weft/", import.meta.url));

/**
 * One set of engines for a whole test run, each started when the first test asks for it: a run of pure unit tests starts none.
 * They die with this process, even by SIGKILL; the folder that a killed run leaves is swept by the next.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runsDirectory = join(WEFT_DIRECTORY, "test");
  await sweepDeadRuns(runsDirectory);
  const directory = join(runsDirectory, randomUUID());
  await mkdir(directory, { recursive: true, mode: 0o711 });
  await writeFile(join(directory, "owner.json"), JSON.stringify(identify(process.pid)));
  const cacheDirectory = join(WEFT_DIRECTORY, "cache");
  const engines = createEngines({
    directory: join(directory, "engines"),
    cacheDirectory,
    env: process.env,
    say: (line) => process.stderr.write(`engines: ${line}\n`),
  });
  const server = await serveEngines(engines);
  project.provide("weftEnginesUrl", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  project.provide("weftTestDirectory", directory);
  project.provide("weftCacheDirectory", cacheDirectory);
  return async () => {
    server.closeAllConnections();
    server.close();
    await engines.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

async function serveEngines(engines: Engines) {
  const server = createServer((request, response) => {
    const name = ENGINE_NAMES.find((engine) => request.url === `/${engine}`);
    const started = name === undefined ? Promise.reject(new Error("no such engine")) : engines.start(name);
    started.then(
      () => response.end(name && engines.status(name).url),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/**
 * Removes the folders of runs whose process is gone, and ends the stacks in them that run in the background by intention (tests
 * of `make up`). A folder without an owner yet is being made right now.
 */
async function sweepDeadRuns(runsDirectory: string): Promise<void> {
  for (const run of await readdir(runsDirectory).catch(() => [])) {
    const folder = join(runsDirectory, run);
    const text = await readFile(join(folder, "owner.json"), "utf8").catch(() => undefined);
    if (text !== undefined && !isAlive(JSON.parse(text) as ProcessIdentity)) {
      for (const inside of await readdir(folder)) {
        if (existsSync(join(folder, inside, "supervisor.json"))) await bringDown(join(folder, inside), () => undefined);
      }
      await rm(folder, { recursive: true, force: true });
    }
  }
}
