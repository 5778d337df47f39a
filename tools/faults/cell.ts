import { setTimeout as pause } from "node:timers/promises";
import { seededRandom } from "../dev/history/chance.ts";
import { untilAtRest } from "./at-rest.ts";
import type { Fault, Wound } from "./catalogue/fault.ts";
import { checkBooks } from "./check-books.ts";
import type { Finding } from "./checks/finding.ts";
import type { Operation } from "./client-log.ts";
import { countFindings, type FaultRow, hasHit } from "./results.ts";
import { type Cell, deriveSeed } from "./schedule.ts";
import type { World } from "./world.ts";

export interface CellDeps {
  readonly world: World;
  readonly fault: Fault;
  /** Runs its argument while no other world is under load: two cores carry one. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

const TRIES_MAX = 4;
/** The load's time before the fault: orders in all states are there. */
const WARM_UP_MS = 1_500;
const IN_FLIGHT_TIMEOUT_MS = 3_000;
const RECOVER_TIMEOUT_MS = 60_000;
/** The load's time after the shop is back. */
const AFTERMATH_MS = 500;
const SETTLE_MS = 60_000;
const LATE_REST_MS = 60_000;
const RECOVERED_STATES = ["CONFIRMED", "PAID"];

interface Struck extends Pick<FaultRow, "hits" | "inFlight" | "recoverMs"> {
  readonly wound: Wound;
  readonly healedAtMs: number;
  readonly surprising: readonly string[];
}

/** One cell: load, fault, heal, drain, check. A fault that hits nothing is tried again with another seed. */
export async function runCell(deps: CellDeps, cell: Cell): Promise<FaultRow> {
  for (let tries = 1; ; tries += 1) {
    const seed = tries === 1 ? cell.seed : deriveSeed(cell.seed, `try ${tries}`);
    const row = await runTry(deps, cell, seed, tries);
    if (hasHit(row) || row.findings.length > 0 || tries === TRIES_MAX) return row;
  }
}

async function runTry(deps: CellDeps, cell: Cell, seed: number, tries: number): Promise<FaultRow> {
  const { world, fault } = deps;
  const before = world.log.operations().length;
  const struck = await deps.alone(() => strike(world, fault, cell.name, seed));
  const settleMs = fault.settleMs ?? SETTLE_MS;
  const { moving } = await untilAtRest(world.truth, Math.max(0, struck.healedAtMs + settleMs - Date.now()));
  const quietMs = moving === undefined ? Date.now() - struck.healedAtMs : null;
  // It is red already. What comes to rest after all is not reported as lost as well.
  if (moving !== undefined) await untilAtRest(world.truth, LATE_REST_MS);
  const verified = (await struck.wound.verify?.()) ?? [];
  const operations = world.log.operations().slice(before);
  const findings = [
    ...struck.surprising.map((name) => wrong("nothing dies by itself", name, "ended and nobody had killed it")),
    ...unrest(cell.name, moving, settleMs),
    ...verified.map((line) => wrong(fault.what, cell.name, line)),
    ...world.sampler.findings(),
    ...(await checkBooks(world.truth, world.log.operations(), world.opening)),
  ];
  const { hits, inFlight, recoverMs } = struck;
  const unknown = operations.filter(({ outcome }) => outcome === "unknown").length;
  const counts = { hits, inFlight, operations: operations.length, recoverMs, quietMs, unknown };
  return { cell: cell.name, kind: cell.kind, seed, tries, ...counts, ...countFindings(findings) };
}

/** Puts the fault into a running load, takes it out again, and waits for the shop to come back. */
async function strike(world: World, fault: Fault, name: string, seed: number): Promise<Struck> {
  const { log, load } = world;
  log.mark(name);
  const before = log.operations().length;
  await load.start(deriveSeed(seed, "load"), world.rate);
  try {
    await pause(WARM_UP_MS);
    const inFlight = await untilInFlight(world);
    const wound = await fault.inject(world, seededRandom(deriveSeed(seed, "fault")));
    await pause(wound.lastsMs);
    await wound.heal?.();
    const healedAtMs = Date.now();
    const surprising = await world.healAll();
    const hits = await wound.hits();
    const recoverMs = await untilRecovered(() => log.operations().slice(before), healedAtMs);
    await pause(AFTERMATH_MS);
    return { wound, hits, inFlight, recoverMs, healedAtMs, surprising };
  } finally {
    await load.stop();
  }
}

/** Operations in flight at the moment, which is waited for if there are none. */
async function untilInFlight(world: World): Promise<number> {
  const untilMs = performance.now() + IN_FLIGHT_TIMEOUT_MS;
  while (world.log.inFlight() === 0 && performance.now() < untilMs) await pause(1);
  return world.log.inFlight();
}

async function untilRecovered(operations: () => Operation[], healedAtMs: number): Promise<number | null> {
  while (Date.now() < healedAtMs + RECOVER_TIMEOUT_MS) {
    const first = operations().find(
      ({ kind, state = "", endedMs = 0 }) =>
        kind === "placeOrder" && endedMs >= healedAtMs && RECOVERED_STATES.includes(state),
    );
    if (first?.endedMs !== undefined) return first.endedMs - healedAtMs;
    await pause(20);
  }
  return null;
}

function unrest(subject: string, moving: string | undefined, settleMs: number): Finding[] {
  const invariant = `all is at rest ${settleMs / 1_000} s after the heal`;
  return moving === undefined ? [] : [{ invariant, kind: "unresolved", subject, detail: moving }];
}

function wrong(invariant: string, subject: string, detail: string): Finding {
  return { invariant, kind: "wrong", subject, detail };
}
