import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultBounds, type Placed, seatOf, subsetOf } from "./subset.ts";

const replicas = (count: number): Placed[] =>
  Array.from({ length: count }, (_, index) => ({ address: `10.0.${index >> 8}.${index & 255}:7140` }));
const clients = (count: number): string[] => Array.from({ length: count }, (_, index) => `edge-${index}`);

/** How many clients each replica has, each counted with its part. */
function loadOf(items: readonly Placed[], names: readonly string[], isKnown: boolean): number[] {
  const loads = new Map(items.map(({ address }) => [address, 0]));
  for (const name of names) {
    for (const { item, part } of subsetOf(items, seatOf(name, isKnown ? names : undefined))) {
      loads.set(item.address, (loads.get(item.address) ?? 0) + part);
    }
  }
  return [...loads.values()];
}

const counts = fc.record({ replicas: fc.integer({ min: 21, max: 400 }), clients: fc.integer({ min: 1, max: 150 }) });

describe("a client that knows how many there are", () => {
  test("shares each replica with as many others: load is even, for any number of both", () => {
    fc.assert(
      fc.property(
        counts.filter(({ replicas, clients }) => replicas / clients <= defaultBounds.max),
        ({ replicas: count, clients: peers }) => {
          const loads = loadOf(replicas(count), clients(peers), true);
          expect(Math.max(...loads)).toBeCloseTo(Math.min(...loads), 6);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("keeps a bounded number of connections", () => {
    fc.assert(
      fc.property(counts, ({ replicas: count, clients: peers }) => {
        const kept = subsetOf(replicas(count), seatOf("edge-0", clients(peers)));
        // Whole turns of the ring round up by a turn, borders by one on each side.
        const bound = Math.min(defaultBounds.max, defaultBounds.min + count / peers);
        expect(kept.length).toBeLessThanOrEqual(Math.ceil(bound) + 2);
        expect(kept.length).toBeGreaterThanOrEqual(defaultBounds.min);
      }),
    );
  });

  test("changes few of its connections when one client or replica more comes", () => {
    const before = subsetOf(replicas(200), seatOf("edge-7", clients(100))).map(({ item }) => item.address);
    for (const after of [
      subsetOf(replicas(200), seatOf("edge-7", clients(101))),
      subsetOf(replicas(201), seatOf("edge-7", clients(100))),
    ]) {
      const left = before.filter((address) => !after.some(({ item }) => item.address === address));
      expect(left.length).toBeLessThanOrEqual(4);
    }
  });
});

describe("a client that does not", () => {
  test("keeps twenty of two hundred, each wholly", () => {
    const kept = subsetOf(replicas(200), seatOf("edge-0"));
    expect(kept.map(({ part }) => part)).toEqual(Array.from({ length: 20 }, () => 1));
  });

  test("finds its twenty again after a restart, and others find others", () => {
    const keptBy = (name: string) => subsetOf(replicas(200), seatOf(name)).map(({ item }) => item.address);
    expect(keptBy("edge-1")).toEqual(keptBy("edge-1"));
    expect(keptBy("edge-1")).not.toEqual(keptBy("edge-2"));
  });

  test("leaves no replica alone where clients are many", () => {
    const loads = loadOf(replicas(200), clients(200), false);
    expect(Math.min(...loads)).toBeGreaterThan(5);
    expect(Math.max(...loads)).toBeLessThan(40);
  });
});

test("few are kept all, whoever asks", () => {
  expect(subsetOf(replicas(20), seatOf("edge-0"))).toHaveLength(20);
});

test("the order in which replicas are told does not matter", () => {
  const items = replicas(120);
  const kept = (of: Placed[]) => new Set(subsetOf(of, seatOf("edge-3", clients(9))).map(({ item }) => item.address));
  expect(kept([...items].reverse())).toEqual(kept(items));
});

test("each zone and each version is kept in part, a canary of one by all", () => {
  const items = replicas(200).map((item, index) => ({
    ...item,
    zone: index % 2 === 0 ? "a" : "b",
    version: index === 199 ? "canary" : "stable",
  }));
  for (const name of clients(30)) {
    for (const seat of [seatOf(name), seatOf(name, clients(30))]) {
      const kept = subsetOf(items, seat).map(({ item }) => item);
      expect(kept.filter(({ version }) => version === "canary")).toHaveLength(1);
      expect(kept.filter(({ zone }) => zone === "a").length).toBeGreaterThanOrEqual(9);
      expect(kept.filter(({ zone }) => zone === "b").length).toBeGreaterThanOrEqual(9);
    }
  }
});
