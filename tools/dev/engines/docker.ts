import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { findExecutable } from "../processes/executables.ts";
import type { EngineProgram } from "./engine.ts";

const run = promisify(execFile);

export interface ContainerOptions {
  readonly program: Extract<EngineProgram, { kind: "image" }>;
  readonly port: number;
  readonly insidePort: number;
  readonly directory: string;
  readonly insideDirectory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

/** Arguments of `docker run` in the foreground: the client stands for the engine, passes signals on, and holds its output. */
export function dockerArguments(options: ContainerOptions): string[] {
  const environment = Object.entries(options.environment ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  return [
    ...["run", "--rm", "--init", "--name", containerName(options.directory)],
    ...["--publish", `127.0.0.1:${options.port}:${options.insidePort}`],
    ...["--volume", `${options.directory}:${options.insideDirectory}`],
    ...environment,
    options.program.image,
    ...options.args,
  ];
}

/** The docker client, if a daemon answers it. */
export async function findDocker(): Promise<string | undefined> {
  const docker = findExecutable("docker");
  if (docker === undefined) return undefined;
  try {
    await run(docker, ["version", "--format", "{{.Server.Version}}"], { timeout: 5_000 });
    return docker;
  } catch {
    return undefined;
  }
}

/** Removes the container of this folder, if an earlier, killed client left one: it does not die with the client. */
export async function removeContainer(docker: string, directory: string): Promise<void> {
  await run(docker, ["rm", "--force", containerName(directory)]).catch(() => undefined);
}

function containerName(directory: string): string {
  return `weft-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}`;
}
