import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { repositoryRoot } from "./check.ts";

const imageBytesMax = 64 * 1024 * 1024;
const binDirectory = join(repositoryRoot, "node_modules/.bin");

export interface BufResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs this repository's buf, with its plugins on the PATH, in a folder that holds a buf.yaml. */
export function runBuf(root: string, args: readonly string[]): Promise<BufResult> {
  const env = { ...process.env, PATH: `${binDirectory}${delimiter}${process.env.PATH ?? ""}` };
  const options = { cwd: root, env, maxBuffer: imageBytesMax, encoding: "buffer" } as const;
  return new Promise((resolve, reject) => {
    execFile(join(binDirectory, "buf"), args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr: stderr.toString() });
      else reject(error ?? new Error("buf ended without an exit code"));
    });
  });
}

/** What lies under proto/ beside our contracts: those of others, and the records of our events. */
const notOurs = ["vendor", "events"];

/** The folders under proto/ whose contracts are ours. */
export async function ownProtoFolders(root: string): Promise<string[]> {
  const entries = await readdir(join(root, "proto"), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !notOurs.includes(entry.name)).map(({ name }) => name);
}

/**
 * Builds a descriptor image of our contracts; what they import is in it, marked as imported.
 *
 * @returns the image's bytes
 * @throws Error with buf's own words if a file does not compile
 */
export async function buildImage(root: string, flags: readonly string[] = []): Promise<Buffer> {
  const paths = (await ownProtoFolders(root)).flatMap((folder) => ["--path", `proto/${folder}`]);
  const { exitCode, stdout, stderr } = await runBuf(root, ["build", ...paths, ...flags, "-o", "-"]);
  if (exitCode !== 0) throw new Error(`buf build failed:\n${stdout.toString()}${stderr}`);
  return stdout;
}
