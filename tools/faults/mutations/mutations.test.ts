import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutate } from "../launcher/source-mutation.ts";
import { mutationNamed, mutations } from "./mutations.ts";

const root = new URL("../../../", import.meta.url);

const each = mutations.flatMap(({ name, edits }) =>
  Object.entries(edits).map(([service, own]) => ({ name, service, own })),
);

test.each(each)("$name finds its text, each piece once, in the source of $service", ({ own }) => {
  for (const [module, edits] of Map.groupBy(own, (edit) => edit.module)) {
    const source = readFileSync(new URL(module, root), "utf8");
    expect(mutate(module, source, edits)).not.toBe(source);
  }
});

test("a mutation that nobody knows is refused, with those that there are", () => {
  expect(() => mutationNamed("nothing-off")).toThrow(/"nothing-off": inbox-off, /);
});
