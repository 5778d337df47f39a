import { expect, test } from "vitest";
import { catalogue } from "./catalogue/catalogue.ts";
import { MUTATION_FAULTS } from "./mutation-faults.ts";
import { mutations } from "./mutations/mutations.ts";
import { readOptions } from "./options.ts";

test("by default every kind comes under three seeds, and every mutation", () => {
  const { kinds, seedCount, seed, mutations: names } = readOptions({}, true);
  expect(kinds).toEqual(catalogue.map(({ kind }) => kind));
  expect(new Set(kinds).size).toBeGreaterThanOrEqual(25);
  expect(new Set(kinds).size).toBe(kinds.length);
  expect({ seedCount, seed }).toEqual({ seedCount: 3, seed: undefined });
  expect(names).toEqual(mutations.map(({ name }) => name));
});

test("kinds that need root are left out without it", () => {
  const { kinds } = readOptions({}, false);
  expect(kinds).not.toContain("disk-full-nats");
  expect(kinds.length).toBeGreaterThanOrEqual(25);
});

test("a smoke run is always the same one", () => {
  expect(readOptions({ SMOKE: "1" }, true)).toEqual(readOptions({ SMOKE: "1" }, true));
  expect(readOptions({ SMOKE: "1" }, true)).toMatchObject({ seed: 1, seedCount: 1, isSmoke: true });
  expect(readOptions({ SMOKE: "1", SEED: "9" }, true).seed).toBe(9);
});

test("ONLY names kinds and mutations, and nothing else is run", () => {
  const options = readOptions({ ONLY: "kill-order,inbox-off" }, true);
  const asked = { kinds: ["kill-order"], mutations: ["inbox-off"], scenarios: [], isWhole: false };
  expect(options).toMatchObject(asked);
  expect(readOptions({}, true).isWhole).toBe(true);
  expect(() => readOptions({ ONLY: "kill-ordre" }, true)).toThrow('no fault "kill-ordre"');
});

test.each(["0", "x", "1.5", "-3"])("SEED=%s is refused", (SEED) => {
  expect(() => readOptions({ SEED }, true)).toThrow(`SEED=${SEED} is no whole number above 0`);
});

test("calls take tunnels, or plain gRPC where that is asked for", () => {
  expect(readOptions({}, true).transport).toBe("auto");
  expect(readOptions({ TRANSPORT: "grpc" }, true).transport).toBe("grpc");
  expect(() => readOptions({ TRANSPORT: "http" }, true)).toThrow("TRANSPORT=http is none of auto, tunnel, grpc");
});

test("every mutation is given faults that there are", () => {
  const kinds = catalogue.map(({ kind }) => kind);
  expect(Object.keys(MUTATION_FAULTS).toSorted()).toEqual(mutations.map(({ name }) => name).toSorted());
  for (const faults of Object.values(MUTATION_FAULTS)) {
    expect(faults.length).toBeGreaterThan(0);
    for (const kind of faults) expect(kinds).toContain(kind);
  }
});
