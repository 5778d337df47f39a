import type { IDeployment } from "kubernetes-models/apps/v1";
import type { IConfigMap, IContainer, IPodSpec, ISecret, IService, IServiceAccount } from "kubernetes-models/v1";
import type { FieldPath, Manifest } from "./manifest.ts";

export type DeploymentManifest = IDeployment & Manifest;
export type ServiceManifest = IService & Manifest;

/** What was rendered, by kind. */
export interface Rendered {
  readonly all: readonly Manifest[];
  readonly deployments: readonly DeploymentManifest[];
  readonly services: readonly ServiceManifest[];
  readonly configMaps: readonly (IConfigMap & Manifest)[];
  readonly secrets: readonly (ISecret & Manifest)[];
  readonly serviceAccounts: readonly (IServiceAccount & Manifest)[];
}

/** Sorts objects by kind. That each has its kind's shape, schemaProblems has found out. */
export function sortByKind(all: readonly Manifest[]): Rendered {
  const of = <T>(kind: string): (T & Manifest)[] =>
    all.filter((manifest): manifest is T & Manifest => manifest.kind === kind);
  return {
    all,
    deployments: of<IDeployment>("Deployment"),
    services: of<IService>("Service"),
    configMaps: of<IConfigMap>("ConfigMap"),
    secrets: of<ISecret>("Secret"),
    serviceAccounts: of<IServiceAccount>("ServiceAccount"),
  };
}

export const podSpecPath: FieldPath = ["spec", "template", "spec"];
export const containerPath: FieldPath = [...podSpecPath, "containers", 0];

export function podSpecOf(deployment: IDeployment): IPodSpec {
  return deployment.spec?.template.spec ?? { containers: [] };
}

/** The one container of a service's pod. */
export function containerOf(deployment: IDeployment): IContainer {
  const [container] = podSpecOf(deployment).containers;
  return container ?? { name: "none" };
}
