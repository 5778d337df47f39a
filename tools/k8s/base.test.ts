import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../check/check.ts";
import { SERVICE_NAMES } from "../dev/stack/ports.ts";
import { manifestsFolder } from "./check-manifests.ts";
import { locateKubectl, thisMachine } from "./kubectl.ts";
import { render } from "./render.ts";
import { containerOf, podSpecOf, sortByKind } from "./rendered.ts";

const kubectl = await locateKubectl(thisMachine(join(repositoryRoot, ".weft/kubectl")), () => undefined);
const rendered = sortByKind(await render(kubectl, repositoryRoot, manifestsFolder));
const named = <T extends { metadata: { name: string } }>(objects: readonly T[], name: string): T => {
  const found = objects.find(({ metadata }) => metadata.name === name);
  if (!found) throw new Error(`nothing is called ${name}`);
  return found;
};

describe.each(SERVICE_NAMES)("%s", (service) => {
  const deployment = named(rendered.deployments, service);
  const container = containerOf(deployment);

  test("runs its own program of the one image, twice", () => {
    expect(container).toMatchObject({ image: "weft:0.1.0", command: ["node", `services/${service}/main.ts`] });
    expect(deployment.spec?.replicas).toBe(2);
  });

  test("runs under the strictest pod security standard, and cannot write or ask the Kubernetes API", () => {
    expect(podSpecOf(deployment)).toMatchObject({
      serviceAccountName: service,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(named(rendered.serviceAccounts, service)).toMatchObject({ automountServiceAccountToken: false });
  });

  test("is asked for health on the plaintext port, and ready by its own contract", () => {
    expect(container.startupProbe).toMatchObject({ grpc: { port: 7101 } });
    expect(container.livenessProbe).toMatchObject({ grpc: { port: 7101 } });
    const own = { grpc: { port: 7101, service: expect.stringContaining(`shop.${service}.v1.`) } };
    const ownPublic = { httpGet: { path: "/healthz", port: "public" } };
    expect(container.readinessProbe).toMatchObject(service === "edge" ? ownPublic : own);
  });

  test("has a headless Service that selects its pods alone", () => {
    expect(named(rendered.services, service).spec).toMatchObject({
      clusterIP: "None",
      selector: { "app.kubernetes.io/name": service },
      ports: [
        { name: "grpc", port: 7100, appProtocol: "https" },
        { name: "metrics", port: 7102, appProtocol: "http" },
      ],
    });
    expect(deployment.spec?.selector.matchLabels).toEqual({ "app.kubernetes.io/name": service });
  });

  test("has what it needs of memory, and a bound", () => {
    expect(container.resources).toEqual({ requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "512Mi" } });
  });
});

test("all of it is labelled, lies in one namespace, and that namespace refuses other pods", () => {
  for (const { kind, metadata } of rendered.all) {
    if (kind !== "Namespace") expect(metadata.namespace).toBe("weft");
    expect
      .soft(metadata, `${kind} ${metadata.name}`)
      .toMatchObject({ labels: { "app.kubernetes.io/part-of": "weft" } });
  }
  expect(rendered.all.find(({ kind }) => kind === "Namespace")).toMatchObject({
    metadata: { name: "weft", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
});
