import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { insertCounters } from "./insert-counters.ts";
import { type StageCounter, stageCounters } from "./stage-counters.ts";

test.each(stageCounters)("$side, $stage: its place in $module is there, once", async (counter) => {
  const source = await readFile(new URL(`../../../${counter.module}`, import.meta.url), "utf8");
  expect(insertCounters(counter.module, source, [counter]).lost).toEqual([]);
});

const place = { side: "client", stage: "validation", module: "mesh/a.ts" } as const;

test("a counter follows its text on the same line, with its condition", () => {
  const counters: StageCounter[] = [
    { ...place, after: "pick() {" },
    { ...place, after: "send() {", when: "this.due" },
  ];
  const { source, lost } = insertCounters("mesh/a.ts", "pick() {\n}\nsend() {\n}", counters);
  expect(source).toBe(
    "pick() { globalThis.weftBenchCounters[0]++;\n}\nsend() { if (this.due) globalThis.weftBenchCounters[1]++;\n}",
  );
  expect(lost).toEqual([]);
});

test("a text that is not there, or twice, loses its counter and nothing else", () => {
  const counters: StageCounter[] = [
    { ...place, after: "gone {" },
    { ...place, after: "twice {" },
    { ...place, after: "once {" },
  ];
  const { source, lost } = insertCounters("mesh/a.ts", "once { twice { twice {", counters);
  expect(source).toBe("once { globalThis.weftBenchCounters[2]++; twice { twice {");
  expect(lost).toEqual(counters.slice(0, 2));
});

test("modules without counters are left alone", () => {
  expect(insertCounters("mesh/b.ts", "x", [{ ...place, after: "x" }]).source).toBeUndefined();
});
