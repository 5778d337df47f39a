import { describe, expect, test } from "vitest";
import type { Criticality } from "../contract/criticality.ts";
import { createSimulation, emptyTally, type Tally, type Work } from "./testing-overload.ts";

const seconds = 10;

/** The same numbers each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Tallies = Record<Criticality, Tally>;

/** Sends calls at random moments, a fifth of them critical and half default, and tells for each second what became of those sent in it. */
function load(simulation: ReturnType<typeof createSimulation>, perSecond: number, forSeconds: number): Tallies[] {
  const { time, send } = simulation;
  const random = createRandom(5);
  const endMs = time.now() + forSeconds * 1000;
  const all: Tallies[] = [];
  let atMs = time.now();
  let second: Tallies | undefined;
  const next = (): void => {
    atMs += (-Math.log(1 - random()) * 1000) / perSecond;
    if (atMs > endMs) return;
    time.arrives(atMs, () => {
      const share = random();
      const criticality = share < 0.2 ? "critical" : share < 0.7 ? "default" : "sheddable";
      if (second) send(criticality, second[criticality]);
      next();
    });
  };
  next();
  for (let index = 0; index < forSeconds; index++) {
    second = { critical: emptyTally(), default: emptyTally(), sheddable: emptyTally() };
    all.push(second);
    time.runUntil(endMs - (forSeconds - index - 1) * 1000);
  }
  return all;
}

const sum = (tallies: readonly Tallies[], of: (tally: Tally) => number, ...which: Criticality[]): number =>
  tallies
    .flatMap((second) => (which.length > 0 ? which.map((name) => second[name]) : Object.values(second)))
    .reduce((total, tally) => total + of(tally), 0);
const good = (tally: Tally): number => tally.good;
const bad = (tally: Tally): number => tally.refused + tally.late;
const sent = (tally: Tally): number => tally.sent;

const servers: [name: string, work: Work, callsPerSecond: number][] = [
  ["ten connections, 10 ms each", { places: 10, workMs: () => 10, timeoutMs: 1_000 }, 1_000],
  ["ten connections, 100 ms each", { places: 10, workMs: () => 100, timeoutMs: 2_000 }, 100],
  ["1 ms of computing a call", { places: 1e6, workMs: () => 0, busyMs: 1, timeoutMs: 1_000 }, 1_000],
  [
    "1 ms of computing and 5 ms of waiting a call",
    { places: 1e6, workMs: () => 5, busyMs: 1, timeoutMs: 1_000 },
    1_000,
  ],
];

describe.each(servers)("a server with %s", (_name, work, capacity) => {
  test("refuses nobody while it has less to do than it can", () => {
    const simulation = createSimulation(work);
    const tallies = load(simulation, capacity * 0.8, seconds);
    simulation.time.runUntil(simulation.time.now() + 5_000);
    expect(sum(tallies, bad)).toBe(0);
    expect(sum(tallies, good)).toBe(sum(tallies, sent));
  });

  test("of five times what it can do does four fifths at least, the critical first, and all of ordinary load ten seconds later", () => {
    const simulation = createSimulation(work);
    const overload = load(simulation, capacity * 5, seconds);
    const after = load(simulation, capacity * 0.7, seconds);
    simulation.time.runUntil(simulation.time.now() + 5_000);
    // Every answer counts that comes in time, since what is begun before the first refusal comes late.
    expect(sum(overload, good)).toBeGreaterThan(0.8 * capacity * seconds);
    const settled = overload.slice(3);
    // As many critical calls as it can do come; of the others hardly any are left room.
    expect(sum(settled, good, "critical")).toBeGreaterThan(0.5 * sum(settled, good));
    expect(sum(settled, good, "sheddable")).toBeLessThan(0.1 * sum(settled, good));
    expect(sum(after.slice(-1), bad)).toBe(0);
  });
});

test("a server that goes on with what nobody waits for any more catches up", () => {
  const simulation = createSimulation({ places: 4, workMs: () => 20, timeoutMs: 300, stubborn: true });
  const overload = load(simulation, 1_000, seconds);
  simulation.time.runUntil(simulation.time.now() + 5_000);
  expect(sum(overload.slice(seconds / 2), good)).toBeGreaterThan(0.8 * 200 * (seconds / 2));
});

test("a server whose calls wait a second for somebody else has room for a steep rise", () => {
  const simulation = createSimulation({ places: 1e6, workMs: () => 1_000, timeoutMs: 5_000 });
  const tallies = [...load(simulation, 20, 5), ...load(simulation, 200, seconds)];
  simulation.time.runUntil(simulation.time.now() + 5_000);
  expect(sum(tallies, bad)).toBe(0);
});

test("a thousand callers who begin at once, and call again when they are answered, are all served", () => {
  const { time, send, admission } = createSimulation({ places: 1e6, workMs: () => 100, timeoutMs: 5_000 });
  const tallies: Tally[] = [];
  const callAgain = (atMs: number): void =>
    time.arrives(atMs, () => {
      const tally = emptyTally();
      tallies.push(tally);
      send("default", tally);
      const look = (): void => {
        if (tally.good + bad(tally) === 0) time.after(5, look);
        else if (time.now() < 3_000) callAgain(time.now());
      };
      look();
    });
  for (let caller = 0; caller < 1_000; caller++) callAgain(1);
  time.runUntil(5_000);
  expect(tallies.filter((tally) => tally.good !== 1)).toEqual([]);
  expect(admission.load.limit).toBeGreaterThanOrEqual(1_000);
});

test("the limit finds what a server needs whose calls wait long and are many", () => {
  const simulation = createSimulation({ places: 1e6, workMs: () => 1_000, timeoutMs: 5_000 });
  const tallies = load(simulation, 2_000, 30);
  simulation.time.runUntil(simulation.time.now() + 5_000);
  expect(sum(tallies.slice(-5), bad)).toBe(0);
  expect(simulation.admission.load.limit).toBeGreaterThan(2_000);
});
