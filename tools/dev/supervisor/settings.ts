import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Env, readInteger, readUrl, SettingError } from "@weft/mesh/contract";
import type { ExternalEngineUrls } from "../engines/engines.ts";
import type { Environment } from "../stack/environment.ts";
import type { Topology } from "../stack/members.ts";
import { DEFAULT_EDGE_PORT, DEFAULT_PORT_BASE, listeners, portsFromBase } from "../stack/ports.ts";

/** What decides how the stack runs. */
export interface StackSettings {
  readonly portBase: number;
  readonly edgePort: number;
  readonly topology: Topology;
  /** Whether a shop without orders gets those of the last thirty days. */
  readonly history: boolean;
  /** Engines that somebody else runs: used, never touched. */
  readonly engineUrls: ExternalEngineUrls;
  /** For the services: LOG_LEVEL, CORS_ORIGINS. */
  readonly env: Environment;
}

export const DEFAULT_SETTINGS: StackSettings = {
  portBase: DEFAULT_PORT_BASE,
  edgePort: DEFAULT_EDGE_PORT,
  topology: "multi",
  history: true,
  engineUrls: {},
  env: {},
};

const PORT_SPAN = 200;
const PORT_MAX = 65_535;

/** The folder of this clone's stack: `.weft`, or WEFT_DIRECTORY. */
export function stackDirectory(env: Env): string {
  return resolve(env.WEFT_DIRECTORY || fileURLToPath(new URL("../../../.weft", import.meta.url)));
}

/**
 * What the environment asks for: only that. The rest stays as the running stack has it, so that a plain `make up` repairs a
 * stack that was started with other ports instead of moving it. Throws a SettingError that names the setting.
 */
export function readSettings(env: Env): Partial<StackSettings> {
  const integer = (name: string, min: number, max: number) =>
    env[name] ? readInteger(env, name, { min, max }) : undefined;
  const portBase = integer("WEFT_PORT_BASE", 1_024, PORT_MAX - PORT_SPAN);
  const edgePort = integer("EDGE_PORT", 1, PORT_MAX);
  const topology = env.TOPOLOGY || undefined;
  if (topology !== undefined && topology !== "multi" && topology !== "single") {
    throw new SettingError(`TOPOLOGY=${topology} is neither multi (the default) nor single`);
  }
  const history = env.SEED_HISTORY || undefined;
  if (history !== undefined && history !== "yes" && history !== "no") {
    throw new SettingError(`SEED_HISTORY=${history} is neither yes (the default) nor no`);
  }
  const urls = { MYSQL_URL: ["mysql:"], NATS_URL: ["nats:"], REDIS_URL: ["redis:", "rediss:"] };
  const engineUrls = Object.fromEntries(
    Object.entries(urls).flatMap(([name, protocols]) => (env[name] ? [[name, readUrl(env, name, protocols)]] : [])),
  );
  const forServices = Object.fromEntries(
    ["LOG_LEVEL", "CORS_ORIGINS"].flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  return {
    ...(portBase === undefined ? {} : { portBase }),
    ...(edgePort === undefined ? {} : { edgePort }),
    ...(topology === undefined ? {} : { topology }),
    ...(history === undefined ? {} : { history: history === "yes" }),
    ...(Object.keys(engineUrls).length === 0 ? {} : { engineUrls }),
    ...(Object.keys(forServices).length === 0 ? {} : { env: forServices }),
  };
}

/** What the stack is to run with, given what runs (or ran until it was killed). Throws a SettingError on ports that overlap. */
export function settle(asked: Partial<StackSettings>, running: StackSettings | undefined): StackSettings {
  const before = running ?? DEFAULT_SETTINGS;
  const settings = {
    ...before,
    ...asked,
    engineUrls: { ...before.engineUrls, ...asked.engineUrls },
    env: { ...before.env, ...asked.env },
  };
  const { portBase, edgePort } = settings;
  const overlap = listeners(portsFromBase(portBase, edgePort)).find(
    ({ port, what }) => port === edgePort && what !== "public",
  );
  if (overlap) {
    throw new SettingError(`EDGE_PORT=${edgePort} is ${overlap.member}'s port with WEFT_PORT_BASE=${portBase}`);
  }
  return settings;
}

/** The names of settings that differ, with both values; empty when a running stack need not be restarted. */
export function differences(before: StackSettings, after: StackSettings): string[] {
  const rows: [name: string, before: string | number | undefined, after: string | number | undefined][] = [
    ["TOPOLOGY", before.topology, after.topology],
    ["WEFT_PORT_BASE", before.portBase, after.portBase],
    ["EDGE_PORT", before.edgePort, after.edgePort],
    ["SEED_HISTORY", yesOrNo(before.history), yesOrNo(after.history)],
  ];
  const names = new Set([...Object.keys(after.engineUrls), ...Object.keys(after.env)]);
  for (const name of names) {
    const value = (settings: StackSettings) => ({ ...settings.engineUrls, ...settings.env })[name as "MYSQL_URL"];
    rows.push([name, value(before), value(after)]);
  }
  // A URL may hold a password: the name is enough.
  const shown = (name: string, value: string | number | undefined) =>
    name.endsWith("_URL") ? "another" : (value ?? "unset");
  return rows
    .filter(([, old, now]) => old !== now)
    .map(([name, old, now]) => `${name} from ${shown(name, old)} to ${shown(name, now)}`);
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}
