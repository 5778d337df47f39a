import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A user of this machine. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom MariaDB is to run as: undefined for whoever we are. It refuses to run as root unasked, so root gives it the `mysql` user
 * if there is one that can reach the folder (a clone under /root is out of its reach), else root by name.
 */
export async function mariadbUser(directory: string): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const mysql = findUser("mysql");
  return mysql && (await isReachableByOthers(directory)) ? mysql : { name: "root", uid: 0, gid: 0 };
}

/** Hands files and folders, with all inside, to the user. */
export async function giveTo(user: SystemUser | undefined, paths: readonly string[]): Promise<void> {
  if (user !== undefined) await run("chown", ["-R", `${user.uid}:${user.gid}`, ...paths]);
}

function findUser(name: string): SystemUser | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

async function isReachableByOthers(directory: string): Promise<boolean> {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
