import { glob, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const root = import.meta.dirname;

/** Lines of the services' files that match, as "file: line". */
async function linesOf(pattern: string, isWanted: (line: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob(pattern, { cwd: root })) {
    if (file.endsWith(".test.ts") || file.includes("/dist/")) continue;
    const lines = (await readFile(`${root}/${file}`, "utf8")).split("\n");
    found.push(...lines.filter(isWanted).map((line) => `${file}: ${line.trim()}`));
  }
  return found;
}

test("money is never a floating point number in a table", async () => {
  expect((await linesOf("*/migrations/*.sql", (line) => /minor_units/.test(line))).length).toBeGreaterThan(5);
  expect(await linesOf("*/migrations/*.sql", (line) => /\b(float|double|real|decimal|numeric)\b/i.test(line))).toEqual(
    [],
  );
});

test("money leaves the integers of 64 bits once: for the payment provider's JSON, within what a number holds exactly", async () => {
  const conversion = /(?:Number|parseFloat|parseInt|toFixed)\([^)]*(?:minor_?units|amount|price|total)/i;
  expect(await linesOf("**/*.ts", (line) => conversion.test(line))).toEqual([
    expect.stringMatching(/^payment\/provider\.ts: .*Number\(amount\.minorUnits\)/),
  ]);
});
