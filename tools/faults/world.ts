import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { waitUntil } from "../dev/processes/wait.ts";
import type { ServiceName } from "../dev/stack/ports.ts";
import { untilAtRest } from "./at-rest.ts";
import type { Opening } from "./checks/facts.ts";
import { type ClientLog, createClientLog } from "./client-log.ts";
import { createLoad, type Load } from "./load/load.ts";
import type { Link, LinkMode } from "./proxy.ts";
import { readOpening } from "./read-books.ts";
import type { Instance } from "./stack/instances.ts";
import { readUnpublished } from "./stack/outbox.ts";
import { type FaultStack, type FaultStackOptions, isEngine, startFaultStack } from "./stack/stack.ts";
import { type StockSampler, startStockSampler } from "./stock-sampler.ts";
import type { EventMessage } from "./stream.ts";
import { createTruth, type Truth } from "./truth.ts";

/** A place in a service's code path where its process ends, as `launcher/` knows it. */
export interface KillPoint {
  readonly when: "before" | "after";
  readonly statement: string;
  readonly nth: number;
  readonly action: "kill" | "freeze" | "throw" | "hold";
}

/** A kill point that was reached. */
export interface KillPointHit extends KillPoint {
  readonly service: string;
  readonly pid: number;
  readonly atMs: number;
}

/** What a fault can lay hands on: a shop, its load, and ways to hurt it. */
export interface World extends AsyncDisposable {
  readonly stack: FaultStack;
  readonly log: ClientLog;
  readonly load: Load;
  readonly truth: Truth;
  /** What the books are counted from. */
  readonly opening: Opening;
  readonly sampler: StockSampler;
  /** Operations a second that its load begins. */
  readonly rate: number;
  /** What lies in a service's outbox and is not published, as its relay would publish it. */
  unpublished(service: ServiceName): Promise<EventMessage[]>;
  instancesOf(service: ServiceName): readonly Instance[];
  /** Waits until an exchange on one of these links has no reply yet, 3 s at most; answers with how many there are. */
  whenBusy(links: readonly Link[]): Promise<number>;
  /** The links whose other end, or this one, is the member: what it is in the middle of. */
  linksOf(name: string): Link[];
  /** SIGKILL, and waits for the end. Nobody starts it again but `revive` or `start`. */
  kill(name: string): Promise<void>;
  /** SIGSTOP, and SIGCONT again. */
  freeze(name: string): void;
  thaw(name: string): void;
  start(name: string): Promise<void>;
  /** SIGTERM, waits for the end, starts it again. */
  restart(name: string): Promise<void>;
  /** Waits for a member that ends itself at a kill point; answers whether it did within the time. */
  diesWithin(name: string, timeoutMs: number): Promise<boolean>;
  setAll(links: readonly Link[], mode: LinkMode): Promise<void>;
  arm(instance: Instance, point: KillPoint): Promise<void>;
  disarm(instance: Instance): Promise<void>;
  /** Kill points reached so far. */
  killPointHits(): KillPointHit[];
  /** Asks the payment provider's own control, past all links. */
  provider(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<unknown>;
  /** Lets all links pass, thaws what is frozen, starts what is down. Answers with what was down though nobody had killed it. */
  healAll(): Promise<string[]>;
}

const BUSY_TIMEOUT_MS = 3_000;
/** A process that ends in its start is started again, as an orchestrator would. */
const RESTART_TIMEOUT_MS = 60_000;
const SHOPPER_COUNT = 12;
const SAMPLE_INTERVAL_MS = 250;
const WARM_UP_MS = 4_000;
const WARM_REST_MS = 30_000;

export interface WorldOptions extends FaultStackOptions {
  /** Operations a second. */
  readonly rate: number;
}

/** Starts a stack with customers. */
export async function startWorld(options: WorldOptions): Promise<World> {
  await using started = new AsyncDisposableStack();
  const stack = started.use(await startFaultStack(options));
  const { addresses, links, instances } = stack;
  const log = started.use(createClientLog(join(stack.directory, "client.jsonl")));
  const load = await createLoad({ edgeUrl: stack.edgeUrl, log, shopperCount: SHOPPER_COUNT });
  const truth = started.use(createTruth(addresses));
  const opening = await readOpening(truth);
  const sampler = started.use(startStockSampler(truth, { atFirst: opening.stock, intervalMs: SAMPLE_INTERVAL_MS }));
  await warmUp(load, options.rate);
  await untilAtRest(truth, WARM_REST_MS);
  /** Killed by us, and not yet started again. */
  const killed = new Set<string>();
  const frozen = new Set<string>();

  const whenBusy = async (watched: readonly Link[]): Promise<number> => {
    const untilMs = performance.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      const waiting = watched.reduce((sum, link) => sum + link.counts().waiting, 0);
      if (waiting > 0 || performance.now() >= untilMs) return waiting;
      await pause(1);
    }
  };
  const control = async (instance: Instance, method: string, body?: unknown): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${instance.control}/arm`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${instance.name}: ${await response.text()}`);
  };
  const start = async (name: string): Promise<void> => {
    await waitUntil(
      () =>
        stack
          .member(name)
          .start()
          .then(() => true),
      { what: `the start of ${name}`, timeoutMs: RESTART_TIMEOUT_MS },
    );
    killed.delete(name);
  };
  const thaw = (name: string): void => {
    frozen.delete(name);
    stack.member(name).kill("SIGCONT");
  };
  const resources = started.move();
  return {
    ...{ stack, log, load, truth, opening, sampler, whenBusy, start, thaw, rate: options.rate },
    unpublished: (service) => readUnpublished(truth, service),
    instancesOf: (service) => instances.filter((each) => each.service === service),
    linksOf(name) {
      if (isEngine(name)) return links.to(name).filter((link) => !link.name.endsWith(">nats") || name === "nats");
      const service = name.replace(/-\d$/, "");
      return links.all.filter((link) => {
        const [from, to] = link.name.split(">");
        // A consumer's question for events waits for ever: that is no operation in flight.
        return to === name || (from === service && to !== "nats") || (service === "edge" && to === "edge");
      });
    },
    async kill(name) {
      killed.add(name);
      stack.member(name).kill("SIGKILL");
      await stack.member(name).ended();
    },
    freeze(name) {
      frozen.add(name);
      stack.member(name).kill("SIGSTOP");
    },
    async restart(name) {
      killed.add(name);
      await stack.member(name).stop();
      await start(name);
    },
    async diesWithin(name, timeoutMs) {
      killed.add(name);
      const died = await Promise.race([
        stack
          .member(name)
          .ended()
          .then(() => true),
        pause(timeoutMs, false),
      ]);
      if (!died) killed.delete(name);
      return died;
    },
    async setAll(wanted, mode) {
      await Promise.all(wanted.map((link) => link.set(mode)));
    },
    arm: (instance, point) => control(instance, "POST", point),
    disarm: (instance) => control(instance, "DELETE"),
    killPointHits() {
      if (!existsSync(stack.hitsFile)) return [];
      const lines = readFileSync(stack.hitsFile, "utf8").split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as KillPointHit);
    },
    async provider(method, path, body) {
      const { url, key } = addresses.paymentProvider;
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
      const response = await fetch(`${url}${path}`, init);
      if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
      return await response.json();
    },
    async healAll() {
      for (const name of frozen) thaw(name);
      await links.heal();
      const down = stack.names.filter((name) => !stack.member(name).isRunning());
      const surprising = down.filter((name) => !killed.has(name));
      killed.clear();
      await waitUntil(() => stack.startAll().then(() => true), {
        what: "the stack's restart",
        timeoutMs: RESTART_TIMEOUT_MS,
      });
      return surprising;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Processes that have just started take several times as long for everything: a fault is not to be blamed for that. */
async function warmUp(load: Load, rate: number): Promise<void> {
  await load.start(1, rate / 3);
  await pause(WARM_UP_MS);
  await load.stop();
}
