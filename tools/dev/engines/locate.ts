import { findExecutable } from "../processes/executables.ts";
import { aptInstall, canInstall } from "./apt.ts";
import { findDocker } from "./docker.ts";
import type { EngineKind, EngineProgram } from "./engine.ts";

/** Ways to find or get an engine, so that a test can play a machine that lacks some of them. */
export interface Machine {
  find(name: string): string | undefined;
  canInstall(): Promise<boolean>;
  install(packages: readonly string[], say: (line: string) => void): Promise<void>;
  findDocker(): Promise<string | undefined>;
}

export const thisMachine: Machine = { find: findExecutable, canInstall, install: aptInstall, findDocker };

/**
 * Finds the programs of these engines: on the PATH, else by apt-get (all that are missing in one go), else as images for
 * Docker. An Error of one line names what to install when none of these works.
 */
export async function locateEngines(
  kinds: readonly EngineKind[],
  say: (line: string) => void,
  machine: Machine = thisMachine,
): Promise<Map<EngineKind, EngineProgram>> {
  const missing = () => kinds.filter((kind) => machine.find(kind.executable) === undefined);
  let reason = "";
  if (missing().length > 0 && (await machine.canInstall())) {
    const packages = missing().map((kind) => kind.aptPackage);
    await machine.install(packages, say).catch((error: unknown) => {
      reason = ` (apt-get failed: ${firstLine(error)})`;
    });
  }
  const docker = missing().length > 0 ? await machine.findDocker() : undefined;
  const programs = new Map<EngineKind, EngineProgram>();
  for (const kind of kinds) {
    const file = machine.find(kind.executable);
    if (file !== undefined) programs.set(kind, { kind: "executable", file });
    else if (docker !== undefined) programs.set(kind, { kind: "image", docker, image: kind.image });
  }
  const lacking = kinds.filter((kind) => !programs.has(kind));
  if (lacking.length > 0) throw new Error(lackingMessage(lacking) + reason);
  return programs;
}

function lackingMessage(lacking: readonly EngineKind[]): string {
  const programs = lacking.map((kind) => kind.executable).join(", ");
  const packages = lacking.map((kind) => kind.aptPackage).join(" ");
  const variables = lacking.map((kind) => kind.urlVariable).join(", ");
  return `missing: ${programs}; install with "apt-get install ${packages}", or start Docker, or set ${variables} to running ones`;
}

function firstLine(error: unknown): string {
  const stderr = (error as { stderr?: unknown }).stderr;
  const text = typeof stderr === "string" && stderr.trim() !== "" ? stderr : String(error);
  return text.trim().split("\n").at(-1) ?? "";
}
