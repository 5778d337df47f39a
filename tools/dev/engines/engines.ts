import { join } from "node:path";
import { type Child, tailOf } from "../processes/child.ts";
import { freePort } from "../processes/ports.ts";
import { waitUntil } from "../processes/wait.ts";
import { removeContainer } from "./docker.ts";
import { ENGINE_NAMES, type EngineKind, type EngineName, type EngineProgram } from "./engine.ts";
import { locateEngines } from "./locate.ts";
import { mariadb } from "./mariadb.ts";
import { nats } from "./nats.ts";
import { redis } from "./redis.ts";

const KINDS: Readonly<Record<EngineName, EngineKind>> = { mariadb, nats, redis };
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 3_000;
const FREE_PORT_ATTEMPTS_MAX = 3;

export interface EnginesOptions {
  /** Data and logs of the engines; kept when they stop. Absolute. */
  readonly directory: string;
  /** Fixed ports; a free one is taken for each that is left out. */
  readonly ports?: Partial<Readonly<Record<EngineName, number>>>;
  /** Shared by many data folders: MariaDB's template. `<directory>/cache` if left out. */
  readonly cacheDirectory?: string;
  /** Where logs go; `<directory>/logs` if left out. */
  readonly logDirectory?: string;
  /** MYSQL_URL, NATS_URL and REDIS_URL in it name engines that somebody else runs: they are used and never touched. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Told in a line what takes long (an installation). */
  readonly say?: (line: string) => void;
}

/** URLs of engines that somebody else runs. */
export type ExternalEngineUrls = Partial<Readonly<Record<EngineKind["urlVariable"], string>>>;

export interface EngineStatus {
  readonly name: EngineName;
  readonly url: string;
  /** Somebody else's, named by a URL in the environment: never started, stopped or killed by us. */
  readonly external: boolean;
  /** Of the process while it runs. */
  readonly pid: number | undefined;
  readonly logFile: string | undefined;
}

/** A set of engines: each has its address from the first start on and keeps it, with its data, over stops and kills. */
export interface Engines extends AsyncDisposable {
  /** Administrator's URL, without a schema. */
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
  status(name: EngineName): EngineStatus;
  /** Whether it is somebody else's, named by a URL in the environment. */
  isExternal(name: EngineName): boolean;
  /**
   * Starts it, or again after a stop or kill (same port, same data); returns when it serves. Does nothing while it runs and
   * answers; one that does not answer is replaced.
   */
  start(name: EngineName): Promise<void>;
  /** Sends a signal to its process, e.g. SIGKILL, SIGSTOP, SIGCONT. */
  kill(name: EngineName, signal: NodeJS.Signals): void;
  /** Resolves when the running process has ended, at once if none runs. */
  ended(name: EngineName): Promise<void>;
  /** Stops one engine, or all of them; the data stays. */
  stop(name?: EngineName): Promise<void>;
}

interface Slot {
  readonly kind: EngineKind;
  readonly external: string | undefined;
  port: number | undefined;
  child: Child | undefined;
  starting: Promise<void> | undefined;
}

/** Engines of which none runs yet: `start(name)` starts one. */
export function createEngines(options: EnginesOptions): Engines {
  const env = options.env ?? {};
  const slots = new Map<EngineName, Slot>();
  for (const name of ENGINE_NAMES) {
    const kind = KINDS[name];
    const external = env[kind.urlVariable] || undefined;
    slots.set(name, { kind, external, port: options.ports?.[name], child: undefined, starting: undefined });
  }
  const slot = (name: EngineName): Slot => {
    const found = slots.get(name);
    if (found === undefined) throw new Error(`no engine "${name}"`);
    return found;
  };
  const urlOf = (name: EngineName): string => url(slot(name));
  const start = (name: EngineName): Promise<void> => {
    const engine = slot(name);
    engine.starting ??= startSlot(engine, options).finally(() => {
      engine.starting = undefined;
    });
    return engine.starting;
  };
  const stopOne = async (name: EngineName): Promise<void> => {
    const engine = slot(name);
    await engine.starting?.catch(() => undefined);
    await engine.child?.stop(STOP_TIMEOUT_MS);
  };
  const stop = async (name?: EngineName): Promise<void> => {
    await Promise.all((name ? [name] : ENGINE_NAMES).map(stopOne));
  };
  return {
    get mysqlUrl() {
      return urlOf("mariadb");
    },
    get natsUrl() {
      return urlOf("nats");
    },
    get redisUrl() {
      return urlOf("redis");
    },
    status(name) {
      const { child, external } = slot(name);
      const running = child !== undefined && child.exit() === undefined;
      return {
        name,
        url: urlOf(name),
        external: external !== undefined,
        pid: running ? child.pid : undefined,
        logFile: external === undefined ? logFileOf(name, options) : undefined,
      };
    },
    isExternal: (name) => slot(name).external !== undefined,
    start,
    kill: (name, signal) => slot(name).child?.kill(signal),
    ended: async (name) => {
      await slot(name).child?.exited;
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** Installs what is missing of these engines, all in one go: before the first starts, so that none starts in vain. */
export async function prepareEngines(
  engines: Engines,
  say: (line: string) => void = () => undefined,
  which: readonly EngineName[] = ENGINE_NAMES,
): Promise<void> {
  const own = which.filter((name) => !engines.isExternal(name));
  if (own.length > 0)
    await locateEngines(
      own.map((name) => KINDS[name]),
      say,
    );
}

/** Creates engines and starts those in `which` (all of them if left out), at the same time. */
export async function startEngines(
  options: EnginesOptions & { readonly which?: readonly EngineName[] },
): Promise<Engines> {
  const engines = createEngines(options);
  const which = options.which ?? ENGINE_NAMES;
  await prepareEngines(engines, options.say, which);
  const results = await Promise.allSettled(which.map((name) => engines.start(name)));
  const failure = results.find((result) => result.status === "rejected");
  if (failure === undefined) return engines;
  await engines.stop();
  throw failure.reason;
}

function url({ kind, external, port }: Slot): string {
  if (external !== undefined) return external;
  if (port === undefined) throw new Error(`${kind.name} has not been started`);
  return kind.url(port);
}

/** Whether a running engine does its work; one that was stopped by a signal or hangs does not. */
function answers(kind: EngineKind, address: string): Promise<boolean> {
  return waitUntil(() => kind.probe(address), { what: kind.name, timeoutMs: ANSWER_TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}

async function startSlot(slot: Slot, options: EnginesOptions): Promise<void> {
  const { kind, external } = slot;
  if (external !== undefined) {
    await waitUntil(() => kind.probe(external), { what: `${kind.name} of ${kind.urlVariable}`, timeoutMs: 5_000 });
    return;
  }
  if (slot.child !== undefined && slot.child.exit() === undefined) {
    if (await answers(kind, url(slot))) return;
    await slot.child.stop(1_000);
  }
  const programs = await locateEngines([kind], options.say ?? (() => undefined));
  const program = programs.get(kind);
  if (program === undefined) throw new Error(`${kind.name} was not found`);
  const portIsFree = slot.port === undefined;
  for (let attempt = 1; ; attempt++) {
    if (portIsFree) slot.port = await freePort();
    try {
      slot.child = await launch(kind, program, slot.port ?? 0, options);
      return;
    } catch (error) {
      // Between the choice of a free port and the start somebody may have taken it.
      if (!portIsFree || attempt === FREE_PORT_ATTEMPTS_MAX) throw error;
    }
  }
}

async function launch(kind: EngineKind, program: EngineProgram, port: number, options: EnginesOptions): Promise<Child> {
  const directory = join(options.directory, kind.name);
  const logFile = logFileOf(kind.name, options);
  if (program.kind === "image") await removeContainer(program.docker, directory);
  const cacheDirectory = options.cacheDirectory ?? join(options.directory, "cache");
  const child = await kind.launch({ program, port, directory, logFile, cacheDirectory });
  try {
    await waitUntil(() => kind.probe(kind.url(port)), {
      what: `${kind.name} on port ${port}`,
      timeoutMs: READY_TIMEOUT_MS,
      giveUp: () => (child.exit() ? `it ended (${JSON.stringify(child.exit())})` : undefined),
    });
    return child;
  } catch (error) {
    await child.stop(1_000);
    throw new Error(`${(error as Error).message}; the end of ${logFile}:\n${await tailOf(logFile)}`, { cause: error });
  }
}

function logFileOf(name: EngineName, options: EnginesOptions): string {
  return join(options.logDirectory ?? join(options.directory, "logs"), `${name}.log`);
}
