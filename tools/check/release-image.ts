import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { releaseImage } from "./breaking.ts";
import { buildImage } from "./buf.ts";
import { repositoryRoot } from "./check.ts";

/** Writes the image that later changes are compared with. Run when a release is cut, and committed with it. */
export async function writeReleaseImage(root: string): Promise<void> {
  await writeFile(join(root, releaseImage), await buildImage(root, ["--exclude-source-info"]));
}

if (import.meta.main) {
  await writeReleaseImage(repositoryRoot);
  console.log(`${releaseImage}: written from proto/ as it is now`);
}
