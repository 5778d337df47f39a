import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, runBuf } from "./buf.ts";
import { type Findings, runCheck } from "./check.ts";

/** Our contracts as the last release had them. release-image.ts renews it. */
export const releaseImage = "proto/release.binpb";

// Said here, because buf does not apply buf.yaml to an image.
const config = JSON.stringify({ version: "v2", breaking: { use: ["FILE"] } });

/** Finds changes to our contracts that break generated code or the wire of the last release. */
export async function checkBreaking(root: string): Promise<Findings> {
  const seen = `against ${releaseImage}`;
  const missing = await access(join(root, releaseImage)).catch(() => `${releaseImage}: is not there to compare with`);
  if (missing) return { problems: [missing], seen };
  const directory = await mkdtemp(join(tmpdir(), "weft-breaking-"));
  try {
    const current = join(directory, "current.binpb");
    await writeFile(current, await buildImage(root));
    const against = ["--against", releaseImage, "--exclude-imports", "--config", config];
    const { exitCode, stdout, stderr } = await runBuf(root, ["breaking", current, ...against]);
    const problems = stdout.toString().split("\n").filter(Boolean);
    if (exitCode !== 0 && problems.length === 0) throw new Error(`buf breaking failed: ${stderr}`);
    return { problems: problems.map((problem) => `proto/${problem}`), seen };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await runCheck("breaking", checkBreaking);
