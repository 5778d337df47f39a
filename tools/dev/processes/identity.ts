import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process that can be recognised later: a bare pid may belong to somebody else by then. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process began, in whatever unit the system tells it. Only ever compared for equality. */
  readonly began: string;
}

/** The identity of a running process, or undefined when there is none with that pid (a zombie counts as gone). */
export function identify(pid: number): ProcessIdentity | undefined {
  const began = process.platform === "linux" ? beganLinux(pid) : beganElsewhere(pid);
  return began === undefined ? undefined : { pid, began };
}

/** Whether exactly this process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.began === identity.began;
}

/** Resident memory of a process in bytes, or undefined when it is gone or the system does not tell. */
export function residentBytes(pid: number): number | undefined {
  try {
    const pages = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return pages === undefined ? undefined : Number(pages) * 1024;
  } catch {
    return undefined;
  }
}

function beganLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets and may itself hold blanks and brackets (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function beganElsewhere(pid: number): string | undefined {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}
