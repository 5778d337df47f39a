import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Address, formatAddress } from "@weft/mesh/contract";
import type { MeshConfig } from "@weft/mesh/server";
import { repositoryRoot } from "../check/check.ts";
import type { ServiceName } from "../dev/stack/ports.ts";
import type { Setting } from "./environment.ts";
import type { Problem } from "./manifest.ts";
import { containerPath, type DeploymentManifest, type ServiceManifest } from "./rendered.ts";

export interface EndpointsOptions {
  readonly service: ServiceName;
  readonly deployment: DeploymentManifest;
  readonly settings: readonly Setting[];
  readonly mesh: MeshConfig;
  /** Those that were rendered. */
  readonly services: readonly ServiceManifest[];
}

/** Finds what of WEFT_DISCOVERY does not fit: services that are called and not named, or the reverse, and wrong addresses. */
export async function endpointProblems(options: EndpointsOptions): Promise<Problem[]> {
  const { service, deployment, settings, mesh, services } = options;
  const asked = await askedBy(service);
  const { discovery } = mesh;
  const names = discovery.source === "dns" ? discovery.names : new Map<string, Address>();
  const texts = asked
    .filter((name) => !names.has(name))
    .map((name) => `${service} calls ${name}, and is not told where it is`);
  for (const [name, where] of names) {
    const address = formatAddress(where);
    if (!asked.includes(name)) texts.push(`${service} does not call ${name}`);
    if (!isHeadless(address, services)) texts.push(`no headless Service has the address ${address}`);
  }
  const { manifest, path } = settings.find(({ name }) => name === "WEFT_DISCOVERY") ?? {
    manifest: deployment,
    path: [...containerPath, "env"],
  };
  return texts.map((text) => ({ manifest, path, text: `WEFT_DISCOVERY: ${text}` }));
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

/** Whether an address is the gRPC port of a headless Service: one with an address of its own would hide the pods. */
function isHeadless(address: string, services: readonly ServiceManifest[]): boolean {
  return services.some(({ metadata, spec }) => {
    if (spec?.clusterIP !== "None") return false;
    return spec.ports?.some(({ name, port }) => name === "grpc" && address === `${metadata.name}:${port}`);
  });
}
