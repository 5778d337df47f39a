import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { findExecutable } from "./executables.ts";

const LOG_BYTES_MAX = 32 * 1024 * 1024;
const STOP_TIMEOUT_MS = 10_000;

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Both outputs are appended here; the previous file is kept as `.1` once it is over 32 MiB. */
  readonly logFile: string;
  /** Run as this user and group; needs root. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** How a child ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One child process, from its start to its end. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<ChildExit>;
  /** How it ended, or undefined while it runs. */
  exit(): ChildExit | undefined;
  /** Sends a signal; does nothing once the child has ended. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL when `timeoutMs` (10 s if left out) have passed; resolves when it is gone. */
  stop(timeoutMs?: number): Promise<void>;
}

/**
 * Starts a process that dies with this one, however this one ends.
 *
 * On Linux `setpriv --pdeathsig KILL` sees to that even after a SIGKILL of the parent; its exec keeps the pid. The change of
 * user happens in the same setpriv, since a later one would clear the signal.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  rotate(options.logFile);
  const log = openSync(options.logFile, "a");
  const [command, args] = dyingWithParent(options);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const { promise: exited, resolve } = Promise.withResolvers<ChildExit>();
  let ended: ChildExit | undefined;
  child.once("exit", (code, signal) => {
    ended = { code, signal };
    resolve(ended);
  });
  await new Promise<void>((started, failed) => {
    child.once("spawn", started);
    child.once("error", failed);
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.name} has no pid`);

  const kill = (signal: NodeJS.Signals) => {
    if (ended === undefined) child.kill(signal);
  };
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    exit: () => ended,
    kill,
    async stop(timeoutMs = STOP_TIMEOUT_MS) {
      // A stopped (SIGSTOP) process would not see the SIGTERM.
      kill("SIGTERM");
      kill("SIGCONT");
      const timer = setTimeout(() => kill("SIGKILL"), timeoutMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The last lines of a log file, for a message that says why something did not start. */
export async function tailOf(logFile: string, lineCountMax = 15): Promise<string> {
  const bytesMax = 16 * 1024;
  try {
    await using file = await open(logFile);
    const { size } = await file.stat();
    const length = Math.min(size, bytesMax);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8").trimEnd().split("\n").slice(-lineCountMax).join("\n");
  } catch {
    return "";
  }
}

function dyingWithParent(options: ChildOptions): [string, string[]] {
  const setpriv = process.platform === "linux" ? findExecutable("setpriv") : undefined;
  if (setpriv === undefined) return [options.command, [...options.args]];
  const { user } = options;
  const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"] : [];
  return [setpriv, [...identity, "--pdeathsig", "KILL", options.command, ...options.args]];
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
}
