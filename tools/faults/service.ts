import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Env } from "@weft/mesh/contract";
import type { MeshConfig } from "@weft/mesh/server";
import { serveControl } from "./launcher/control.ts";
import { createKillPoints, type KillPoints } from "./launcher/kill-points.ts";
import { mutateModules } from "./launcher/source-mutation.ts";
import { mutationNamed } from "./mutations/mutations.ts";

interface Config {
  readonly mesh: MeshConfig;
}

interface ServiceModules {
  readonly loadConfig: (env: Env) => Config;
  readonly start: (config: Config) => Promise<AsyncDisposable>;
}

const root = new URL("../../", import.meta.url);

/**
 * Starts a service as its own main.ts does, with a hook on its statements and, if asked, mutated:
 *
 *     node tools/faults/service.ts order [--mutation inbox-off]...
 *
 * Beside the service's own settings it reads FAULTS_CONTROL_PORT (the kill points' endpoint, control.ts) and FAULTS_HITS_FILE (a
 * line of JSON for each kill point that is reached, written before its action is taken).
 */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { mutation: { type: "string", multiple: true, default: [] } },
  });
  const [service] = positionals;
  if (service === undefined) throw new Error("which service? node tools/faults/service.ts <name> [--mutation <name>]");
  const assertMutated = mutateModules(
    root,
    values.mutation.flatMap((name) => mutationNamed(name).edits[service] ?? []),
  );
  // Not before: what is loaded already is not mutated.
  const { loadConfig, start } = await importService(service);
  const { runMain } = await import("@weft/mesh/server");
  assertMutated();

  const points = await createPoints(service, process.env);
  const port = Number(process.env.FAULTS_CONTROL_PORT);
  if (Number.isInteger(port) && port > 0) await serveControl(port, points);
  await runMain(
    service,
    (env) => {
      const config = loadConfig(env);
      return { ...config, mesh: { ...config.mesh, onStatement: points.hook } };
    },
    start,
  );
}

async function importService(service: string): Promise<ServiceModules> {
  const [{ start }, { loadConfig }] = await Promise.all(
    ["main.ts", "config.ts"].map((file) => import(new URL(`services/${service}/${file}`, root).href)),
  );
  return { start, loadConfig };
}

async function createPoints(service: string, { FAULTS_HITS_FILE }: Env): Promise<KillPoints> {
  const { rpcError } = await import("@weft/mesh/contract");
  const { Code } = await import("@connectrpc/connect");
  const file = FAULTS_HITS_FILE === undefined ? process.stderr.fd : openSync(FAULTS_HITS_FILE, "a");
  return createKillPoints({
    service,
    pid: process.pid,
    now: Date.now,
    report: (hit) => {
      writeSync(file, `${JSON.stringify(hit)}\n`);
    },
    signal: (signal) => process.kill(process.pid, signal),
    failure: (statement) => rpcError(Code.Unavailable, `${statement}: lost, as the fault harness wants it`),
    pause: (ms) => pause(ms),
  });
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}
