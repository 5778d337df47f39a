import { describe, expect, test } from "vitest";
import type { Criticality } from "../contract/criticality.ts";
import { WaitingCalls } from "./waiting-calls.ts";

function lineOf(...calls: readonly (readonly [string, Criticality])[]): WaitingCalls<string> {
  const waiting = new WaitingCalls<string>();
  for (const [index, [name, criticality]] of calls.entries()) waiting.add(name, criticality, index);
  return waiting;
}

function takeAll(waiting: WaitingCalls<string>): string[] {
  const names: string[] = [];
  for (let next = waiting.take(); next; next = waiting.take()) names.push(next);
  return names;
}

describe("take()", () => {
  test("takes the most critical first, and among equals the first to come", () => {
    const waiting = lineOf(
      ["s1", "sheddable"],
      ["d1", "default"],
      ["c1", "critical"],
      ["d2", "default"],
      ["c2", "critical"],
    );
    expect(waiting.length).toBe(5);
    expect(takeAll(waiting)).toEqual(["c1", "c2", "d1", "d2", "s1"]);
    expect(waiting.length).toBe(0);
  });

  test("keeps the order of a line that never empties", () => {
    const waiting = new WaitingCalls<string>();
    const names: (string | undefined)[] = [];
    for (let index = 0; index < 1_000; index++) {
      waiting.add(`${index}`, "default", index);
      if (index >= 3) names.push(waiting.take());
    }
    expect(names).toEqual(Array.from({ length: 997 }, (_, index) => `${index}`));
    expect(takeAll(waiting)).toEqual(["997", "998", "999"]);
  });
});

test.each([
  ["critical", 1],
  ["default", 3],
  ["sheddable", 4],
] as const)("ahead() of a %s call are %d", (criticality, expected) => {
  const waiting = lineOf(["s1", "sheddable"], ["d1", "default"], ["c1", "critical"], ["d2", "default"]);
  expect(waiting.ahead(criticality)).toBe(expected);
});

describe("displace()", () => {
  test("takes the last of the least critical, never one as critical", () => {
    const waiting = lineOf(["s1", "sheddable"], ["s2", "sheddable"], ["d1", "default"], ["c1", "critical"]);
    expect(waiting.displace("sheddable")).toBeUndefined();
    expect(waiting.displace("default")).toBe("s2");
    expect(waiting.displace("critical")).toBe("s1");
    expect(waiting.displace("default")).toBeUndefined();
    expect(waiting.displace("critical")).toBe("d1");
    expect(waiting.displace("critical")).toBeUndefined();
    expect(takeAll(waiting)).toEqual(["c1"]);
  });
});

test("takeOlderThan() takes those of every line that came by then", () => {
  const waiting = lineOf(
    ["s1", "sheddable"],
    ["d1", "default"],
    ["c1", "critical"],
    ["d2", "default"],
    ["s2", "sheddable"],
  );
  expect([...waiting.takeOlderThan(2)].toSorted()).toEqual(["c1", "d1", "s1"]);
  expect(takeAll(waiting)).toEqual(["d2", "s2"]);
});
