import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tailOf } from "../processes/child.ts";
import { endProcess } from "../processes/end-process.ts";
import { isAlive } from "../processes/identity.ts";
import { withLock } from "../processes/lock.ts";
import { waitUntil } from "../processes/wait.ts";
import { assertPortsFree } from "../stack/port-conflict.ts";
import { listeners, portsFromBase } from "../stack/ports.ts";
import { answers, OrderFailed, orderStart, orderStop, type StackReport } from "./control.ts";
import { differences, type StackSettings, settle } from "./settings.ts";
import { type SupervisorState, stateFiles } from "./state.ts";

const LOCK_TIMEOUT_MS = 300_000;
const SUPERVISOR_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 60_000;

export interface BringUpOptions {
  /** The stack's folder. Absolute. */
  readonly directory: string;
  /** What is asked for; the rest is as it runs, or the default. */
  readonly settings: Partial<StackSettings>;
  /** Told in a line each what is done. */
  readonly say: (line: string) => void;
}

/**
 * Brings a stack to life and returns when all of it is healthy, whatever state it was in: not there, running, half dead,
 * without its supervisor, or with other settings (it is restarted then). Two at once take turns.
 */
export function bringUp(options: BringUpOptions): Promise<StackReport> {
  return locked(options.directory, options.say, async () => {
    const state = await stateFiles(options.directory).readSupervisor();
    const settings = settle(options.settings, state?.settings);
    const running = await keepOrEnd(state, settings, options);
    if (running !== undefined) return orderStart(running, options.say);
    await endOrphans(options.directory);
    const supervisor = await launchSupervisor(options.directory, settings);
    try {
      return await orderStart(supervisor, options.say);
    } catch (error) {
      // Nothing was started: nothing stays. After any other failure what runs is left for a look at it.
      if (error instanceof OrderFailed && error.kind === "PortConflict") await endSupervisor(supervisor);
      throw error;
    }
  });
}

/** Ends a stack, wholly; its data stays. Answers whether there was one. */
export function bringDown(directory: string, say: (line: string) => void): Promise<boolean> {
  return locked(directory, say, async () => {
    const state = await stateFiles(directory).readSupervisor();
    const running = state !== undefined && isAlive(state.process);
    if (running) await endSupervisor(state);
    const orphans = await endOrphans(directory);
    await stateFiles(directory).remove();
    return running || orphans > 0;
  });
}

/** The running supervisor if it can go on, undefined when a new one is needed. */
async function keepOrEnd(
  state: SupervisorState | undefined,
  settings: StackSettings,
  { say }: BringUpOptions,
): Promise<SupervisorState | undefined> {
  if (state === undefined) return undefined;
  if (!isAlive(state.process)) {
    say(`the supervisor (pid ${state.process.pid}) is gone without having stopped: repairing`);
    return undefined;
  }
  const changes = differences(state.settings, settings);
  if (changes.length > 0) {
    await assertNewPortsFree(state.settings, settings);
    say(`restarting the stack: ${changes.join(", ")}`);
    await endSupervisor(state);
    return undefined;
  }
  if (await answers(state)) return state;
  say(`the supervisor (pid ${state.process.pid}) does not answer: replacing it`);
  await endProcess(state.process, 0);
  return undefined;
}

/** Before a running stack is stopped for other ports: are they to be had? */
async function assertNewPortsFree(before: StackSettings, after: StackSettings): Promise<void> {
  const held = new Set(listeners(portsFromBase(before.portBase, before.edgePort)).map(({ port }) => port));
  const wanted = listeners(portsFromBase(after.portBase, after.edgePort));
  await assertPortsFree(wanted.filter(({ port }) => !held.has(port)));
}

async function launchSupervisor(directory: string, settings: StackSettings): Promise<SupervisorState> {
  const logFile = join(directory, "logs", "supervisor.log");
  mkdirSync(join(directory, "logs"), { recursive: true });
  const log = openSync(logFile, "a");
  const script = fileURLToPath(new URL("../supervisor.ts", import.meta.url));
  const child = spawn(process.execPath, [script, directory, JSON.stringify(settings)], {
    cwd: directory,
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let exit: string | undefined;
  child.once("error", (error) => {
    exit = error.message;
  });
  child.once("exit", (code, signal) => {
    exit = `it ended (${signal ?? code})`;
  });
  let state: SupervisorState | undefined;
  const ready = async (): Promise<boolean> => {
    state = await stateFiles(directory).readSupervisor();
    return state?.process.pid === child.pid && state !== undefined && (await answers(state));
  };
  try {
    await waitUntil(ready, { what: "the supervisor", timeoutMs: SUPERVISOR_TIMEOUT_MS, giveUp: () => exit });
  } catch (error) {
    throw new Error(`${(error as Error).message}; the end of ${logFile}:\n${await tailOf(logFile)}`, { cause: error });
  } finally {
    child.unref();
  }
  if (state === undefined) throw new Error("the supervisor left no state");
  return state;
}

/** Asks it to stop everything and itself; what does not listen is ended by its id, and its children with it. */
async function endSupervisor(state: SupervisorState): Promise<void> {
  const listens = await answers(state);
  if (listens) await orderStop(state, STOP_TIMEOUT_MS).catch(() => undefined);
  await endProcess(state.process, listens ? STOP_TIMEOUT_MS : 0);
}

/** Ends what a killed supervisor left where the system did not do that. */
async function endOrphans(directory: string): Promise<number> {
  const orphans = (await stateFiles(directory).readChildren()).filter(isAlive);
  await Promise.all(orphans.map((orphan) => endProcess(orphan, 2_000)));
  return orphans.length;
}

function locked<T>(directory: string, say: (line: string) => void, work: () => Promise<T>): Promise<T> {
  const onWait = ({ pid }: { pid: number }) => say(`another make up or down (pid ${pid}) is at work: waiting for it`);
  return withLock(join(directory, "up.lock"), { timeoutMs: LOCK_TIMEOUT_MS, onWait }, work);
}
