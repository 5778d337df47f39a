import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

// Daemons live here on Debian, and an ordinary user's PATH does not have it.
const SYSTEM_FOLDERS = [
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/usr/local/bin",
  "/usr/bin",
  "/bin",
  "/opt/homebrew/bin",
];

/** The full path of an executable on the PATH or in a system folder, or undefined. */
export function findExecutable(name: string, path: string = process.env.PATH ?? ""): string | undefined {
  for (const folder of [...path.split(delimiter), ...SYSTEM_FOLDERS]) {
    if (folder === "") continue;
    const file = join(folder, name);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
