import { join } from "node:path";
import { type Findings, repositoryRoot, runCheck } from "../check/check.ts";
import { checkManifests } from "./check-manifests.ts";
import { locateKubectl, thisMachine } from "./kubectl.ts";
import { RenderError } from "./render.ts";
import { table } from "./table.ts";

/** Where a kubectl that was downloaded is kept; `make clean` deletes it. */
const downloads = join(repositoryRoot, ".weft/kubectl");

await runCheck("k8s", async (root): Promise<Findings> => {
  try {
    const kubectl = await locateKubectl(thisMachine(downloads), console.log);
    const checked = await checkManifests(root, kubectl);
    if (checked.problems.length === 0) console.log(table(checked));
    const seen = `${checked.rendered.all.length} objects, kustomize ${kubectl.kustomizeVersion}`;
    return { problems: checked.problems, seen };
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    return { problems: [error.message], seen: "nothing rendered" };
  }
});
