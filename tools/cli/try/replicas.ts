import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, startChild, tailOf } from "../../dev/processes/child.ts";
import { freePort } from "../../dev/processes/ports.ts";
import { waitUntil } from "../../dev/processes/wait.ts";

export type ReplicaState = "up" | "frozen" | "slow" | "down" | "draining";

/** One process that serves echo, and what can be done to it. Doing what is done already does nothing. */
export interface Replica {
  readonly name: string;
  readonly address: string;
  readonly state: ReplicaState;
  /** It keeps its connections and says nothing more (SIGSTOP). */
  freeze(): void;
  /** It answers later by slowMs. */
  slow(): void;
  /** It is gone, without a word (SIGKILL). */
  kill(): Promise<void>;
  /** It drains and ends, and another one starts in its place. */
  restart(): Promise<void>;
  /** It is as at first, whatever was done to it. */
  mend(): Promise<void>;
}

export interface ReplicasOptions {
  readonly count: number;
  /** For certificates and logs. */
  readonly directory: string;
  readonly trustDomain: string;
  readonly slowMs: number;
}

const startTimeoutMs = 15_000;

/** Starts replicas of the echo service. They end with this process, however it ends. */
export async function startReplicas(options: ReplicasOptions): Promise<readonly Replica[] & AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const replicas = await Promise.all(
    Array.from({ length: options.count }, async (_, index) =>
      resources.use(await startReplica(`echo-${index + 1}`, options)),
    ),
  );
  const all = resources.move();
  return Object.assign(replicas, { [Symbol.asyncDispose]: () => all.disposeAsync() });
}

async function startReplica(name: string, options: ReplicasOptions): Promise<Replica & AsyncDisposable> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let state: ReplicaState = "down";
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    child = await startChild({
      name,
      command: process.execPath,
      args: [fileURLToPath(new URL("replica.ts", import.meta.url))],
      env: {
        ...process.env,
        TRY_NAME: name,
        TRY_ADDRESS: address,
        TRY_CERTIFICATES: join(options.directory, "echo"),
        TRY_TRUST_DOMAIN: options.trustDomain,
        TRY_SLOW_MS: String(options.slowMs),
      },
      logFile: join(options.directory, `${name}.log`),
    });
    await waitUntilUp(child, port);
    state = "up";
  };
  const stop = async (): Promise<void> => {
    state = "draining";
    await child?.stop();
    state = "down";
  };
  await start();
  return {
    name,
    address,
    get state() {
      return state;
    },
    freeze() {
      if (state !== "up" && state !== "slow") return;
      child?.kill("SIGSTOP");
      state = "frozen";
    },
    slow() {
      if (state !== "up") return;
      child?.kill("SIGUSR2");
      state = "slow";
    },
    async kill() {
      if (state === "down" || state === "draining") return;
      child?.kill("SIGKILL");
      state = "down";
      await child?.exited;
    },
    async restart() {
      if (state === "draining") return;
      await stop();
      await start();
    },
    async mend() {
      if (state === "frozen") child?.kill("SIGCONT");
      if (state === "slow") child?.kill("SIGUSR2");
      if (state === "down") await start();
      if (state !== "draining") state = "up";
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function waitUntilUp(child: Child, port: number): Promise<void> {
  const giveUp = (): string | undefined => (child.exit() ? "it has ended" : undefined);
  try {
    await waitUntil(() => accepts(port), { what: child.name, timeoutMs: startTimeoutMs, giveUp });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await tailOf(child.logFile)}`, { cause: error });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
