import { beforeEach, expect, test } from "vitest";
import { createLiveInstances, instancesMax, type LiveInstances } from "./live-instances.ts";

const refreshIntervalMs = 5_000;
const expiryMs = 20_000;
let nowMs: number;
let instances: LiveInstances;
beforeEach(() => {
  nowMs = 0;
  instances = createLiveInstances({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    refreshIntervalMs,
    expiryMs,
  });
});

const put = (service: string, ...addresses: string[]) => {
  for (const address of addresses) instances.put(service, address, { address });
};
const known = async (service: string) => {
  // Changes are told when all that has come at once is known.
  await undefined;
  return instances.of(service).current.map(({ address }) => address);
};
/** Lets time pass in which those named say, each interval, that they live. */
const pass = (ms: number, alive: () => void) => {
  for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
    nowMs += refreshIntervalMs;
    alive();
    instances.sweep();
  }
};

test("an instance that was put is known, one that left is not", async () => {
  put("catalog", "a", "b");
  expect(await known("catalog")).toEqual(["a", "b"]);
  instances.leave("catalog", "a");
  expect(await known("catalog")).toEqual(["b"]);
});

test("the last one that leaves stays known: it may be back where it was before anybody says so", async () => {
  put("catalog", "a");
  expect(await known("catalog")).toEqual(["a"]);
  instances.leave("catalog", "a");
  expect(await known("catalog")).toEqual(["a"]);
  put("catalog", "b");
  expect(await known("catalog")).toEqual(["b"]);
});

test("one that falls silent while others speak is forgotten in time", async () => {
  put("catalog", "a", "b");
  pass(expiryMs, () => put("catalog", "a"));
  expect(await known("catalog")).toEqual(["a", "b"]);
  pass(refreshIntervalMs, () => put("catalog", "a"));
  expect(await known("catalog")).toEqual(["a"]);
});

test("when all instances of a service fall silent, all stay known", async () => {
  put("catalog", "a", "b");
  pass(10 * expiryMs, () => put("order", "x"));
  expect(await known("catalog")).toEqual(["a", "b"]);
});

test("when nobody is heard, nobody grows old, and whoever speaks again first does not outlive the others for it", async () => {
  put("catalog", "a", "b");
  pass(10 * expiryMs, () => {});
  pass(refreshIntervalMs, () => put("catalog", "a"));
  expect(await known("catalog")).toEqual(["a", "b"]);
});

test("services are told apart, and each change is told once", async () => {
  const heard: string[][] = [];
  using _watch = instances.of("catalog").watch((all) => heard.push(all.map(({ address }) => address)));
  put("catalog", "a", "b", "a");
  await undefined;
  put("order", "x");
  put("catalog", "c", "a");
  await undefined;
  put("catalog", "b");
  await undefined;
  expect(heard).toEqual([
    ["a", "b"],
    ["a", "b", "c"],
  ]);
});

test("an instance whose labels change is a change", async () => {
  const heard: (number | undefined)[] = [];
  put("catalog", "a");
  await undefined;
  using _watch = instances.of("catalog").watch(([first]) => heard.push(first?.weight));
  instances.put("catalog", "a", { address: "a", weight: 2 });
  await undefined;
  expect(heard).toEqual([undefined, 2]);
});

test("no more instances are kept than the limit, and those known are still heard", async () => {
  for (let index = 0; index < instancesMax; index++) instances.put("catalog", `a${index}`, { address: "a" });
  put("catalog", "one-more");
  instances.put("catalog", "a7", { address: "changed" });
  expect(await known("catalog")).toHaveLength(instancesMax);
  expect(await known("catalog")).toContain("changed");
});
