import { type Child, startChild, tailOf } from "../processes/child.ts";
import { residentBytes } from "../processes/identity.ts";
import { waitUntil } from "../processes/wait.ts";

/** One process of the stack, as it is to be started. */
export interface MemberPlan {
  readonly name: string;
  /** Where it listens: what for, and the port. */
  readonly ports: Readonly<Record<string, number>>;
  /** A TypeScript file that Node runs. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly stopTimeoutMs: number;
  /** Whether it does its work; throws or answers false while it does not. */
  probe(): Promise<boolean>;
}

/** What is known of one process of the stack. */
export interface MemberStatus {
  readonly name: string;
  /** `external`: somebody else's engine, named by a URL in the environment. */
  readonly state: "running" | "stopped" | "external";
  readonly pid: number | undefined;
  /** E.g. `{ grpc: "127.0.0.1:7140" }`. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly residentBytes: number | undefined;
  readonly logFile: string | undefined;
}

/** A process that can be started, stopped, killed and started again. */
export interface Member {
  readonly name: string;
  readonly ports: Readonly<Record<string, number>>;
  isRunning(): boolean;
  /** Starts it if it does not run, and returns when it is healthy. One that runs but does not answer is replaced. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the running process has ended, at once if none runs. */
  ended(): Promise<void>;
  status(): MemberStatus;
}

const HEALTHY_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 5_000;
const PROBE_INTERVAL_MS = 50;

export function createMember(plan: MemberPlan, cwd: string): Member {
  let child: Child | undefined;
  const isRunning = () => child !== undefined && child.exit() === undefined;
  const answers = (): Promise<boolean> =>
    waitUntil(plan.probe, { what: plan.name, timeoutMs: ANSWER_TIMEOUT_MS }).then(
      () => true,
      () => false,
    );
  const launch = async (): Promise<void> => {
    const { name, script, args = [], environment: env, logFile } = plan;
    const command = process.execPath;
    const started = await startChild({ name, command, args: [script, ...args], env, cwd, logFile });
    child = started;
    try {
      await waitUntil(plan.probe, {
        what: `${name} (pid ${started.pid}) is not healthy`,
        timeoutMs: HEALTHY_TIMEOUT_MS,
        intervalMs: PROBE_INTERVAL_MS,
        giveUp: () => (started.exit() ? `it ended (${JSON.stringify(started.exit())})` : undefined),
      });
    } catch (error) {
      const tail = await tailOf(logFile);
      throw new Error(`${(error as Error).message}; the end of ${logFile}:\n${tail}`, { cause: error });
    }
  };
  return {
    name: plan.name,
    ports: plan.ports,
    isRunning,
    async start() {
      if (isRunning()) {
        if (await answers()) return;
        await child?.stop(1_000);
      }
      await launch();
    },
    stop: async () => {
      await child?.stop(plan.stopTimeoutMs);
    },
    kill: (signal) => child?.kill(signal),
    ended: async () => {
      await child?.exited;
    },
    status: () => ({
      name: plan.name,
      state: isRunning() ? "running" : "stopped",
      pid: isRunning() ? child?.pid : undefined,
      addresses: addressesOf(plan.ports),
      residentBytes: isRunning() && child ? residentBytes(child.pid) : undefined,
      logFile: plan.logFile,
    }),
  };
}

export function addressesOf(ports: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(ports).map(([what, port]) => [what, `127.0.0.1:${port}`]));
}
