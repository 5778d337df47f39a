import type { IDeployment } from "kubernetes-models/apps/v1";
import type { FieldPath, Manifest, Problem } from "./manifest.ts";
import { containerOf, containerPath, type DeploymentManifest, type Rendered } from "./rendered.ts";

/** A setting as a pod gets it. */
export interface Setting {
  readonly name: string;
  /** Undefined if a Secret holds it, which is not ours to know. */
  readonly value: string | undefined;
  /** Whether other services are told it too. */
  readonly shared: boolean;
  /** Where it is said. */
  readonly manifest: Manifest;
  readonly path: FieldPath;
}

/** The environment of a Deployment's container: its ConfigMaps in their order, then its own entries, the last one winning. */
export function environmentOf(
  deployment: DeploymentManifest,
  { deployments, configMaps }: Rendered,
): { settings: Setting[]; problems: Problem[] } {
  const settings = new Map<string, Setting>();
  const problems: Problem[] = [];
  for (const [index, { configMapRef }] of (containerOf(deployment).envFrom ?? []).entries()) {
    const path = [...containerPath, "envFrom", index];
    const name = configMapRef?.name;
    const configMap = configMaps.find(({ metadata }) => metadata.name === name);
    if (!configMap) {
      const text = name === undefined ? "only ConfigMaps are expected here" : `there is no ConfigMap ${name}`;
      problems.push({ manifest: deployment, path, text });
      continue;
    }
    const shared = deployments.filter((other) => refersTo(other, configMap.metadata.name)).length > 1;
    for (const [setting, value] of Object.entries(configMap.data ?? {})) {
      settings.set(setting, { name: setting, value, shared, manifest: configMap, path: ["data", setting] });
    }
  }
  for (const [index, { name, value, valueFrom }] of (containerOf(deployment).env ?? []).entries()) {
    const path = [...containerPath, "env", index];
    if (valueFrom && !valueFrom.secretKeyRef) {
      problems.push({ manifest: deployment, path, text: "a setting is a value or comes from a Secret" });
    }
    const known = valueFrom ? undefined : (value ?? "");
    settings.set(name, { name, value: known, shared: false, manifest: deployment, path });
  }
  return { settings: [...settings.values()], problems };
}

function refersTo(deployment: IDeployment, configMap: string): boolean {
  return (containerOf(deployment).envFrom ?? []).some(({ configMapRef }) => configMapRef?.name === configMap);
}
