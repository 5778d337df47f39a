import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { type Env, SettingError } from "@weft/mesh/contract";
import type { MeshConfig } from "@weft/mesh/server";
import { repositoryRoot } from "../check/check.ts";
import { type EnvironmentOptions, SCHEMA_OWNERS, serviceEnvironment } from "../dev/stack/environment.ts";
import { portsFromBase, SERVICE_NAMES, type ServiceName } from "../dev/stack/ports.ts";
import { endpointProblems } from "./endpoints.ts";
import { environmentOf, type Setting } from "./environment.ts";
import type { Problem } from "./manifest.ts";
import { containerPath, type DeploymentManifest, type Rendered } from "./rendered.ts";

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
      return service ? [await configure(service, deployment, rendered)] : [];
    }),
  );
  const readBySome = new Set(each.flat().flatMap(({ read }) => read.map(({ name }) => name)));
  return each.flat().map(({ read, ...configured }) => {
    const { service, settings, problems } = configured;
    const useless = settings.filter(
      (setting) => !read.includes(setting) && !(setting.shared && readBySome.has(setting.name)),
    );
    return { ...configured, problems: [...problems, ...useless.map((setting) => uselessProblem(service, setting))] };
  });
}

async function configure(
  service: ServiceName,
  deployment: DeploymentManifest,
  rendered: Rendered,
): Promise<Configured & { readonly read: readonly Setting[] }> {
  const loadConfig = await loadConfigOf(service);
  const { settings, problems } = environmentOf(deployment, rendered);
  const env = Object.fromEntries(settings.map((setting) => [setting.name, valueIn(service, setting)]));
  try {
    const { mesh } = loadConfig(env);
    const endpoints = await endpointProblems({ service, deployment, settings, mesh, services: rendered.services });
    const read = settings.filter(({ name }) => reads(loadConfig, env, name));
    return { service, settings, read, mesh, problems: [...problems, ...endpoints] };
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    // What a service that does not start would read cannot be told.
    return {
      service,
      settings,
      read: settings,
      mesh: undefined,
      problems: [...problems, problemOf(error, deployment, settings)],
    };
  }
}

async function loadConfigOf(service: ServiceName): Promise<LoadConfig> {
  const module = await import(pathToFileURL(join(repositoryRoot, "services", service, "config.ts")).href);
  return module.loadConfig;
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

/** Whether a service reads a setting: whether it makes a difference, or an error, what stands there. */
function reads(loadConfig: LoadConfig, env: Env, name: string): boolean {
  const told = (changed: Env): string => inspect(loadConfig(changed), { depth: null });
  try {
    return told({ ...env, [name]: "(something else)" }) !== told(env);
  } catch {
    return true;
  }
}

/** A SettingError begins with the setting's name. One that is not given belongs where the others are. */
function problemOf({ message }: SettingError, deployment: DeploymentManifest, settings: readonly Setting[]): Problem {
  const [name] = /^\w+/.exec(message) ?? [];
  const { manifest, path } = settings.find((setting) => setting.name === name) ?? {
    manifest: deployment,
    path: [...containerPath, "env"],
  };
  return { manifest, path, text: message };
}

function uselessProblem(service: ServiceName, { name, shared, manifest, path }: Setting): Problem {
  const reader = shared ? "no service reads it" : `the ${service} service does not read it`;
  return { manifest, path, text: `unknown setting ${name}: ${reader}` };
}
