import { SERVICE_NAMES } from "../dev/stack/ports.ts";
import type { Kubectl } from "./kubectl.ts";
import { formatPath, type Manifest, type Problem } from "./manifest.ts";
import { podProblems } from "./pods.ts";
import { referenceProblems } from "./references.ts";
import { render } from "./render.ts";
import { type Rendered, sortByKind } from "./rendered.ts";
import { schemaProblems } from "./schema.ts";
import { secretProblems } from "./secrets.ts";
import { servedBy } from "./served.ts";
import { type Configured, configureServices } from "./settings.ts";
import { type Locate, readSources } from "./source.ts";

/** The manifests, from the root of the repository. */
export const manifestsFolder = "k8s/base";

export interface Checked {
  /** One line each: file, line, object, field, and what is wrong. */
  readonly problems: readonly string[];
  readonly rendered: Rendered;
  readonly configured: readonly Configured[];
}

/**
 * Renders the manifests below a folder and looks for all that keeps them from working in a cluster, with the services of this
 * repository.
 */
export async function checkManifests(root: string, kubectl: Kubectl): Promise<Checked> {
  const rendered = sortByKind(await render(kubectl, root, manifestsFolder));
  const locate = await readSources(root, "k8s", rendered.all);
  // What has not the shape of its kind cannot be looked into further.
  const broken = rendered.all.flatMap(schemaProblems);
  if (broken.length > 0) return { problems: formatProblems(broken, locate), rendered, configured: [] };
  const configured = await configureServices(rendered);
  const found = [
    ...configured.flatMap((one) => one.problems),
    ...(await allPodProblems(rendered, configured)),
    ...referenceProblems(rendered),
    ...secretProblems(rendered),
  ];
  return { problems: [...formatProblems(found, locate), ...absent(rendered)], rendered, configured };
}

async function allPodProblems({ deployments }: Rendered, configured: readonly Configured[]): Promise<Problem[]> {
  const found: Problem[] = [];
  for (const deployment of deployments) {
    const own = configured.find(({ service }) => service === deployment.metadata.name);
    if (own) found.push(...podProblems(deployment, own, await servedBy(own.service)));
  }
  return found;
}

/** Services that nothing is rendered for. */
function absent({ deployments, services }: Rendered): string[] {
  const kinds: [string, readonly Manifest[]][] = [
    ["Deployment", deployments],
    ["Service", services],
  ];
  return kinds.flatMap(([kind, rendered]) =>
    SERVICE_NAMES.filter((name) => !rendered.some(({ metadata }) => metadata.name === name)).map(
      (name) => `${manifestsFolder}/kustomization.yaml: the ${name} service has no ${kind}`,
    ),
  );
}

/** Stands for the objects' names until all of them are known. */
const namesHere = "\0";

/** A line each: file, line, object, field, problem. What several objects have from one place is one problem. */
function formatProblems(problems: readonly Problem[], locate: Locate): string[] {
  const names = new Map<string, Set<string>>();
  for (const problem of problems) {
    const { manifest, path, text } = problem;
    const line = `${locate(problem)}: ${manifest.kind} ${namesHere}: ${formatPath(manifest, path)}: ${text}`;
    names.set(line, (names.get(line) ?? new Set()).add(manifest.metadata.name));
  }
  return [...names].map(([line, own]) => line.replace(namesHere, [...own].join(", ")));
}
