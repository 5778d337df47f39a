import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Room for the events of a stack's life, and little more. */
const SIZE = "192m";

/** Whether file systems may be mounted: as root, in a mount namespace of our own (`main.ts`), which ends with us. */
export function canMount(): boolean {
  return process.env.FAULTS_NAMESPACE === "own" && process.getuid?.() === 0;
}

/** Gives NATS's folder a small file system of its own, so that it can be filled. */
export function mountNatsDisk(enginesDirectory: string): void {
  const folder = join(enginesDirectory, "nats");
  mkdirSync(folder, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", folder]);
}

export function unmountNatsDisk(enginesDirectory: string): void {
  execFileSync("umount", [join(enginesDirectory, "nats")]);
}
