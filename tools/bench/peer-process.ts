import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadOptions, LoadResult } from "./load.ts";

const exitTimeoutMs = 5_000;

/** A process of the bench: a server that says where it listens, or a client that makes load when it is told to. */
export interface PeerProcess extends AsyncDisposable {
  /** Asks and waits for the answer; one at a time. @throws Error if the process fails */
  ask(question: Question): Promise<Answer>;
}

/** Which of the calls that a client knows makes the load. */
export interface Workload extends LoadOptions {
  readonly workload: string;
}

/**
 * "cpu" asks how much CPU time the process has used since it started, "counts" for what it counts of calls, "memory" what it holds
 * after a collection of garbage; "profile" begins a
 * CPU profile, "profiled" writes it.
 */
export type Question =
  | { readonly kind: "start" | "cpu" | "counts" | "memory" | "profile" }
  | { readonly kind: "profiled"; readonly file: string }
  | ({ readonly kind: "load" } & Workload);
export type Answer =
  | { readonly port: number }
  | { readonly cpuMs: number }
  | { readonly counts: Readonly<Record<string, number>> }
  | { readonly heldBytes: number; readonly residentBytes: number }
  | { readonly done: true }
  | LoadResult
  | { readonly failure: string };

export interface PeerOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A module in peers/ that is loaded before the program. */
  readonly preload?: string | undefined;
  /** Folder for a CPU profile of the process, written when it ends. */
  readonly profileDirectory?: string | undefined;
}

/** Starts one of the programs in peers/. */
export function startPeer(program: string, options: PeerOptions): PeerProcess {
  const { env, preload, profileDirectory } = options;
  const fileOf = (name: string): URL => new URL(`peers/${name}.ts`, import.meta.url);
  const profiling = profileDirectory
    ? [
        "--cpu-prof",
        `--cpu-prof-dir=${profileDirectory}`,
        `--cpu-prof-name=${program}-${env.BENCH_TAG ?? ""}.cpuprofile`,
      ]
    : [];
  const child = fork(fileURLToPath(fileOf(program)), {
    env: { ...process.env, ...env },
    execArgv: [...(preload ? ["--import", fileOf(preload).href] : []), ...profiling],
  });
  return {
    async ask(question) {
      const gone = new AbortController();
      const answered = once(child, "message", { signal: gone.signal });
      const ended = once(child, "exit", { signal: gone.signal }).then(([code]) => {
        throw new Error(`${program} ended with code ${code}`);
      });
      child.send(question);
      try {
        const [answer] = (await Promise.race([answered, ended])) as [Answer];
        if ("failure" in answer) throw new Error(`${program}: ${answer.failure}`);
        return answer;
      } finally {
        gone.abort();
        await Promise.allSettled([answered, ended]);
      }
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** A peer ends when its parent disconnects; one that does not is killed. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill("SIGKILL"), exitTimeoutMs);
  await exited;
  clearTimeout(timer);
}
