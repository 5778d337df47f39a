import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The code of some release, in a folder of its own. */
export interface ReleaseTree extends AsyncDisposable {
  readonly root: string;
}

/** The newest tag of a release, v1.2.3; undefined if none has been made. */
export async function newestRelease(repository: string): Promise<string | undefined> {
  const { stdout } = await run("git", ["tag", "--list", "v*", "--sort=-v:refname"], { cwd: repository });
  return stdout.split("\n").find((tag) => tag !== "");
}

/**
 * Lays out a tag's or commit's code. Of packages it uses this version's: what is tried is what releases say to each other, not what
 * they were installed with.
 */
export async function layOut(repository: string, revision: string): Promise<ReleaseTree> {
  const root = await mkdtemp(join(tmpdir(), "weft-skew-"));
  const archive = join(root, "release.tar");
  await run("git", ["archive", "--output", archive, revision], { cwd: repository });
  await run("tar", ["-xf", archive, "-C", root]);
  await rm(archive);
  await symlink(join(repository, "node_modules"), join(root, "node_modules"));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}
