import { execFile } from "node:child_process";
import type { Kubectl } from "./kubectl.ts";
import { type Manifest, parseManifests } from "./manifest.ts";

const outputBytesMax = 16 * 1024 * 1024;

/** That nothing could be rendered. Its message is all that a person needs to mend it. */
export class RenderError extends Error {
  override name = "RenderError";
}

/**
 * Renders a folder with a kustomization, as `kubectl apply -k` would.
 *
 * @param root the folder's path is from here
 * @throws RenderError with kustomize's own words
 */
export async function render(kubectl: Kubectl, root: string, folder: string): Promise<Manifest[]> {
  const rendered = await new Promise<string>((resolve, reject) => {
    execFile(kubectl.file, ["kustomize", folder], { cwd: root, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new RenderError(`kustomize cannot render ${folder}: ${reasonIn(stderr) || error.message}`));
    });
  });
  return parseManifests(rendered);
}

/** What kubectl says is wrong, without what some builds log before it. */
function reasonIn(stderr: string): string {
  const [, told] = /^error: (.*)/ms.exec(stderr) ?? [];
  const [, logged] = /"command failed" err="(.*)"\s*$/s.exec(stderr) ?? [];
  return (told ?? logged?.replaceAll('\\"', '"') ?? stderr).trim();
}
