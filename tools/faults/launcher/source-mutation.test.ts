import { expect, test } from "vitest";
import { mutate } from "./source-mutation.ts";

const edit = (find: string) => ({ module: "a.ts", find, replace: "$& is text, not a pattern" });

test("the text is replaced as it stands", () => {
  expect(mutate("a.ts", "one two", [edit("two")])).toBe("one $& is text, not a pattern");
});

test.each([
  ["is not there", "one two", 0],
  ["is there twice", "three and three", 2],
])("a text that %s ends it", (_, source, count) => {
  expect(() => mutate("a.ts", source, [edit("three")])).toThrow(`a.ts has the text ${count} times, not once: three`);
});
