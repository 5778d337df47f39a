import type { IDeployment } from "kubernetes-models/apps/v1";
import type { IContainer, IProbe } from "kubernetes-models/v1";
import { shutdownTimeoutMs } from "../../mesh/server/run-main.ts";
import type { FieldPath, Problem } from "./manifest.ts";
import { containerOf, containerPath, type DeploymentManifest, podSpecOf, podSpecPath } from "./rendered.ts";
import type { Configured } from "./settings.ts";

/** The names of probes, in the order in which Kubernetes begins with them. */
export const probeNames = ["startupProbe", "readinessProbe", "livenessProbe"] as const;
const portNames = { grpc: "grpcAddress", health: "healthAddress", metrics: "metricsAddress" } as const;
/** What a process expects in the folder of its certificate. */
const certificateFiles = ["ca.pem", "cert.pem", "key.pem"];

/** Finds what would make a pod start and then not work: its ports, probes, files and time to end against what the service does. */
export function podProblems(
  deployment: DeploymentManifest,
  { settings, mesh }: Configured,
  served: ReadonlySet<string>,
): Problem[] {
  const problem = (path: FieldPath, text: string): Problem => ({ manifest: deployment, path, text });
  const problems = [...graceProblems(deployment, problem)];
  for (const setting of settings) {
    if (setting.value !== undefined) problems.push(...fileProblems(deployment, setting.name, setting.value, problem));
  }
  if (!mesh) return problems;
  for (const [name, address] of Object.entries(portNames)) {
    const { host, port } = mesh[address];
    const declared = containerOf(deployment).ports?.find((one) => one.name === name)?.containerPort;
    if (declared !== port) {
      problems.push(
        problem([...containerPath, "ports"], `port ${name} is ${declared}, but the service listens on ${port}`),
      );
    }
    if (host !== "0.0.0.0" && host !== "::") {
      problems.push(
        problem(containerPath, `the service listens for ${name} on ${host}, where nobody outside the pod is`),
      );
    }
  }
  for (const name of probeNames) {
    const text = probeProblem(containerOf(deployment), name, mesh.healthAddress.port, served);
    if (text) problems.push(problem([...containerPath, name], text));
  }
  return problems;
}

type MakeProblem = (path: FieldPath, text: string) => Problem;

function probeProblem(
  container: IContainer,
  name: (typeof probeNames)[number],
  healthPort: number,
  served: ReadonlySet<string>,
): string | undefined {
  const probe: IProbe | undefined = container[name];
  const { grpc, httpGet } = probe ?? {};
  if (grpc) {
    if (grpc.port !== healthPort) return `asks port ${grpc.port}, but health is served on ${healthPort}`;
    if (!served.has(grpc.service ?? "")) return `asks for ${grpc.service}, which the service does not serve`;
    return undefined;
  }
  if (!httpGet) return "asks nothing, over gRPC or HTTP";
  const { port } = httpGet;
  const known = container.ports?.some((one) => one.name === port || one.containerPort === port);
  return known ? undefined : `asks port ${port}, which the container does not have`;
}

function graceProblems(deployment: IDeployment, problem: MakeProblem): Problem[] {
  const pauseMs = 1_000 * (containerOf(deployment).lifecycle?.preStop?.sleep?.seconds ?? 0);
  const graceMs = 1_000 * (podSpecOf(deployment).terminationGracePeriodSeconds ?? 30);
  if (graceMs > pauseMs + shutdownTimeoutMs) return [];
  const text = `gives ${graceMs} ms, but the pause and the drain may take ${pauseMs + shutdownTimeoutMs} ms`;
  return [problem([...podSpecPath, "terminationGracePeriodSeconds"], text)];
}

/** A setting that names a file or a folder must lie in a mounted Secret that has it. */
function fileProblems(deployment: IDeployment, name: string, value: string, problem: MakeProblem): Problem[] {
  const files = name.endsWith("_FILE")
    ? [value]
    : name === "WEFT_CERT_DIR"
      ? certificateFiles.map((file) => `${value}/${file}`)
      : [];
  const mounted = mountedFiles(deployment);
  return files
    .filter((file) => !mounted.includes(file))
    .map((file) => problem([...containerPath, "volumeMounts"], `${name}: no Secret is mounted as ${file}`));
}

function mountedFiles(deployment: IDeployment): string[] {
  return (containerOf(deployment).volumeMounts ?? []).flatMap(({ name, mountPath }) => {
    const volume = podSpecOf(deployment).volumes?.find((one) => one.name === name);
    return (volume?.secret?.items ?? []).map(({ path }) => `${mountPath}/${path}`);
  });
}
