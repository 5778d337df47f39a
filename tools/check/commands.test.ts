import { expect, test } from "vitest";
import { makeTargets, shellCommands, weftCommand } from "./commands.ts";

test.each([
  ["make demo", ["demo"]],
  ["make", []],
  ["$ make up && make logs", ["up", "logs"]],
  ["TOPOLOGY=single make up", ["up"]],
  ["make -j2 check test ONLY=mesh", ["check", "test"]],
  ["time make demo # make it so", ["demo"]],
  ["# make sure that it runs", []],
  ["sudo apt-get install make git", []],
  ["node tools/x.ts | make \\\n  gen", ["gen"]],
])("make targets of %j", (text, targets) => {
  expect(shellCommands(text).flatMap(makeTargets)).toEqual(targets);
});

test.each([
  ["npx weft list order", "list"],
  ["weft ps -o json", "ps"],
  ["npx weft --help", undefined],
  ["npx vitest run", undefined],
  ["FOO=1 npx weft call a b <<< '{}'", "call"],
])("weft command of %j", (text, command) => {
  expect(shellCommands(text).map(weftCommand)).toEqual([command]);
});
