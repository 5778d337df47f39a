import { readdir, readFile, readlink } from "node:fs/promises";

export interface Listener {
  readonly pid: number;
  readonly command: string;
  /** The folder it works in. */
  readonly directory: string;
}

const LISTEN = "0A";

/** Which process listens on a port of this machine; undefined when the system does not tell us (not Linux, not our process). */
export async function whoListens(port: number): Promise<Listener | undefined> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      const localPort = Number.parseInt(local?.split(":")[1] ?? "", 16);
      if (state === LISTEN && localPort === port && inode) inodes.add(`socket:[${inode}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (inodes.has(target)) return describe(pid);
    }
  }
  return undefined;
}

async function describe(pid: string): Promise<Listener> {
  const command = (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "?")).trim();
  return { pid: Number(pid), command, directory: await readlink(`/proc/${pid}/cwd`).catch(() => "?") };
}
