import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot } from "./check.ts";

/** A folder that a test may spoil: parts of the repository, or files of its own. */
export interface Fixture extends AsyncDisposable {
  readonly root: string;
  write(path: string, text: string): Promise<void>;
  /** Replaces a text in a file. @throws Error if it is not there, so that a test cannot pass by changing nothing */
  edit(path: string, from: string, to: string): Promise<void>;
}

/** Makes a fixture with copies of files and folders of the repository. */
export async function createFixture(copied: readonly string[] = []): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), "weft-check-"));
  for (const path of copied) await cp(join(repositoryRoot, path), join(root, path), { recursive: true });
  const write: Fixture["write"] = async (path, text) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  return {
    root,
    write,
    async edit(path, from, to) {
      const text = await readFile(join(root, path), "utf8");
      if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
      await write(path, text.replace(from, to));
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs a command to its end, whatever that is. */
export function runCommand(file: string, args: readonly string[], cwd: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === "number") resolve({ exitCode, output: stdout + stderr });
      else reject(error ?? new Error(`${file} ended without an exit code`));
    });
  });
}

/** Runs one of the checks as `make check` does, but on a fixture. */
export function runScript(script: string, fixture: Fixture): Promise<CommandResult> {
  return runCommand(process.execPath, [join(repositoryRoot, "tools/check", script), fixture.root], fixture.root);
}
