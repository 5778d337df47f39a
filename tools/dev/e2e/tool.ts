import { aptInstall, canInstall } from "../engines/apt.ts";
import { findExecutable } from "../processes/executables.ts";

/** A program whose Debian package has its name: on the PATH, else by apt-get. An Error names what to install when neither works. */
export async function locateTool(name: string): Promise<string> {
  const found = findExecutable(name);
  if (found !== undefined) return found;
  if (await canInstall()) await aptInstall([name], (line) => process.stderr.write(`${name}: ${line}\n`));
  const installed = findExecutable(name);
  if (installed === undefined) throw new Error(`missing: ${name}; install with "apt-get install ${name}"`);
  return installed;
}
