import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { type Env, SettingError } from "@weft/mesh/contract";
import type { MeshConfig } from "@weft/mesh/server";
import { repositoryRoot } from "../check/check.ts";
import { type EnvironmentOptions, SCHEMA_OWNERS, serviceEnvironment } from "../dev/stack/environment.ts";
import { portsFromBase, SERVICE_NAMES, type ServiceName } from "../dev/stack/ports.ts";
import { environmentOf, type Setting } from "./environment.ts";
import type { FieldPath, Manifest, Problem } from "./manifest.ts";
import { containerPath, type Rendered } from "./rendered.ts";

type LoadConfig = (env: Env) => { readonly mesh: MeshConfig };

/** What a service makes of the settings that its pods get. */
export interface Configured {
  readonly service: ServiceName;
  readonly settings: readonly Setting[];
  /** Undefined if the service would not start. */
  readonly mesh: MeshConfig | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Gives each service's own loadConfig the environment that its Deployment gives its pods, so that a setting which is missing, makes
 * no sense or is read by nobody is found here and not by a pod that does not start.
 */
export async function configureServices(rendered: Rendered): Promise<Configured[]> {
  const each = await Promise.all(
    rendered.deployments.map(async (deployment) => {
      const service = SERVICE_NAMES.find((name) => name === deployment.metadata.name);
      if (!service) return [];
      return [{ service, deployment, loadConfig: await loadConfigOf(service), asks: await askedBy(service) }];
    }),
  );
  const readers = new Map<string, number>();
  const configured = each.flat().map(({ service, deployment, loadConfig, asks }) => {
    const { settings, problems } = environmentOf(deployment, rendered);
    const env = Object.fromEntries(settings.map((setting) => [setting.name, valueIn(service, setting)]));
    const { config, problem } = load(loadConfig, env, deployment, settings);
    const unread = config ? settings.filter(({ name }) => !reads(loadConfig, env, name)) : [];
    for (const setting of settings) {
      if (!unread.includes(setting)) readers.set(setting.name, (readers.get(setting.name) ?? 0) + 1);
    }
    const endpoints = config ? endpointProblems(service, asks, config.mesh, { deployment, settings, rendered }) : [];
    return { service, settings, unread, mesh: config?.mesh, problems: [...problems, ...problem, ...endpoints] };
  });
  return configured.map(({ unread, ...rest }) => {
    const useless = unread.filter(({ name, shared }) => !shared || !readers.has(name));
    return { ...rest, problems: [...rest.problems, ...useless.map((setting) => unreadProblem(rest.service, setting))] };
  });
}

async function loadConfigOf(service: ServiceName): Promise<LoadConfig> {
  const module = await import(pathToFileURL(join(repositoryRoot, "services", service, "config.ts")).href);
  return module.loadConfig;
}

/** The services that a service calls: `mesh.transport("catalog")` in its own files. */
async function askedBy(service: ServiceName): Promise<string[]> {
  const asked = new Set<string>();
  for await (const path of glob(`services/${service}/*.ts`, { cwd: repositoryRoot })) {
    if (path.endsWith(".test.ts")) continue;
    const text = await readFile(join(repositoryRoot, path), "utf8");
    for (const [, name = ""] of text.matchAll(/mesh\.transport\("([\w-]+)"\)/g)) asked.add(name);
  }
  return [...asked].sort();
}

/** What a Secret holds is not known here: the local stack's value of the same setting stands for it. */
function valueIn(service: ServiceName, { name, value }: Setting): string | undefined {
  return value ?? serviceEnvironment(service, stackOptions)[name];
}

const stackOptions: EnvironmentOptions = {
  ports: portsFromBase(7_000, 8_080),
  certDirectory: "/certificates",
  tokenKeyFile: "/token-key.pem",
  natsUrl: "nats://127.0.0.1:7002",
  redisUrl: "redis://127.0.0.1:7003",
  mysqlUrls: new Map(SCHEMA_OWNERS.map((name) => [name, `mysql://shop_${name}:weft@127.0.0.1:7001/shop_${name}`])),
  extra: {},
};

function load(loadConfig: LoadConfig, env: Env, deployment: Manifest, settings: readonly Setting[]) {
  try {
    return { config: loadConfig(env), problem: [] };
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    const named = settings.find(({ name }) => error.message.startsWith(name));
    const where = named ?? { manifest: deployment, path: [...containerPath, "env"] };
    return { config: undefined, problem: [problemAt(where, error.message)] };
  }
}

/** Whether a service reads a setting: whether it makes a difference, or an error, what stands there. */
function reads(loadConfig: LoadConfig, env: Env, name: string): boolean {
  const told = (changed: Env): string => inspect(loadConfig(changed), { depth: null });
  try {
    return told({ ...env, [name]: "(something else)" }) !== told(env);
  } catch {
    return true;
  }
}

function endpointProblems(
  service: ServiceName,
  asks: readonly string[],
  mesh: MeshConfig,
  { deployment, settings, rendered }: { deployment: Manifest; settings: readonly Setting[]; rendered: Rendered },
): Problem[] {
  const where = settings.find(({ name }) => name === "WEFT_ENDPOINTS") ?? {
    manifest: deployment,
    path: [...containerPath, "env"],
  };
  const texts = asks
    .filter((name) => !mesh.endpoints.has(name))
    .map((name) => `WEFT_ENDPOINTS: ${service} calls ${name}, and is not told where it is`);
  for (const [name, addresses] of mesh.endpoints) {
    if (!asks.includes(name)) texts.push(`WEFT_ENDPOINTS: ${service} does not call ${name}`);
    for (const address of addresses) {
      if (!resolves(address, rendered)) texts.push(`WEFT_ENDPOINTS: no headless Service has the address ${address}`);
    }
  }
  return texts.map((text) => problemAt(where, text));
}

/** Whether an address is the gRPC port of a headless Service: one with an address of its own would hide the pods. */
function resolves(address: string, { services }: Rendered): boolean {
  return services.some(({ metadata, spec }) =>
    spec?.ports?.some(
      ({ name, port }) => spec.clusterIP === "None" && name === "grpc" && address === `${metadata.name}:${port}`,
    ),
  );
}

function unreadProblem(service: ServiceName, setting: Setting): Problem {
  const reader = setting.shared ? "no service" : `the ${service} service does not`;
  return problemAt(setting, `unknown setting ${setting.name}: ${reader} ${setting.shared ? "reads" : "read"} it`);
}

function problemAt({ manifest, path }: { manifest: Manifest; path: FieldPath }, text: string): Problem {
  return { manifest, path, text };
}
