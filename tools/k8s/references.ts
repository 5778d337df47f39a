import type { IDeployment } from "kubernetes-models/apps/v1";
import type { Problem } from "./manifest.ts";
import {
  containerOf,
  containerPath,
  type DeploymentManifest,
  podSpecOf,
  podSpecPath,
  type Rendered,
  type ServiceManifest,
} from "./rendered.ts";

/** Finds what names something that was not rendered, and selectors that select nothing. */
export function referenceProblems(rendered: Rendered): Problem[] {
  const accounts = new Set(rendered.serviceAccounts.map(({ metadata }) => metadata.name));
  return [
    ...rendered.deployments.flatMap((deployment) => [
      ...selectorProblems(deployment),
      ...mountProblems(deployment),
      ...accountProblems(deployment, accounts),
    ]),
    ...rendered.services.flatMap((service) => serviceProblems(service, rendered)),
  ];
}

function labelsOf(deployment: IDeployment): Readonly<Record<string, string>> {
  return deployment.spec?.template.metadata?.labels ?? {};
}

function selects(selector: Readonly<Record<string, string>>, deployment: IDeployment): boolean {
  const labels = labelsOf(deployment);
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([label, value]) => labels[label] === value);
}

function selectorProblems(deployment: DeploymentManifest): Problem[] {
  if (selects(deployment.spec?.selector.matchLabels ?? {}, deployment)) return [];
  return [{ manifest: deployment, path: ["spec", "selector"], text: "does not select its own pods" }];
}

function mountProblems(deployment: DeploymentManifest): Problem[] {
  const volumes = new Set((podSpecOf(deployment).volumes ?? []).map(({ name }) => name));
  return (containerOf(deployment).volumeMounts ?? []).flatMap(({ name }, index) => {
    const path = [...containerPath, "volumeMounts", index];
    return volumes.has(name) ? [] : [{ manifest: deployment, path, text: `there is no volume ${name}` }];
  });
}

function accountProblems(deployment: DeploymentManifest, accounts: ReadonlySet<string>): Problem[] {
  const { serviceAccountName } = podSpecOf(deployment);
  if (serviceAccountName === undefined || accounts.has(serviceAccountName)) return [];
  const path = [...podSpecPath, "serviceAccountName"];
  return [{ manifest: deployment, path, text: `there is no ServiceAccount ${serviceAccountName}` }];
}

function serviceProblems(service: ServiceManifest, { deployments }: Rendered): Problem[] {
  const selected = deployments.filter((deployment) => selects(service.spec?.selector ?? {}, deployment));
  const [only] = selected;
  if (!only || selected.length > 1) {
    return [{ manifest: service, path: ["spec", "selector"], text: `selects ${selected.length} Deployments, not one` }];
  }
  const ports = containerOf(only).ports ?? [];
  return (service.spec?.ports ?? []).flatMap(({ port, targetPort = port }, index) => {
    const known = ports.some(({ name, containerPort }) => name === targetPort || containerPort === targetPort);
    const path = ["spec", "ports", index, "targetPort"];
    return known ? [] : [{ manifest: service, path, text: `its pods have no port ${targetPort}` }];
  });
}
