import fc from "fast-check";
import { expect, test } from "vitest";
import { splitStatements } from "./sql-script.ts";

test.each([
  ["nothing", " \n-- only a comment;\n/* ; */ ;; ", []],
  ["two statements", "CREATE TABLE a (b INT);\nDROP TABLE a", ["CREATE TABLE a (b INT)", "DROP TABLE a"]],
  [
    "semicolons in text",
    `INSERT INTO a VALUES ('x;''y', "a;\\"b", 'c\\';d'); SELECT 1`,
    [`INSERT INTO a VALUES ('x;''y', "a;\\"b", 'c\\';d')`, "SELECT 1"],
  ],
  ["semicolons in names", "SELECT `a;``b`; SELECT 2", ["SELECT `a;``b`", "SELECT 2"]],
  ["comments of all kinds", "SELECT 1 -- a; b'\n+ 2 # c; d\"\n+ /* e; ` */ 3;", ["SELECT 1  \n+ 2  \n+   3"]],
  [
    "a comment that is code",
    "SELECT 1 /*M! + 1; */ /*!80000 + 2 */; SELECT 2",
    ["SELECT 1 /*M! + 1; */ /*!80000 + 2 */", "SELECT 2"],
  ],
  ["minus minus", "SELECT 3--1; SELECT 2", ["SELECT 3--1", "SELECT 2"]],
  ["text that never ends", "SELECT 'a; b", ["SELECT 'a; b"]],
])("splitStatements(): %s", (_, script, statements) => {
  expect(splitStatements(script)).toEqual(statements);
});

test("splitStatements() takes apart what was put together, whatever is quoted in it", () => {
  const anyLiteral = fc.string().map((text) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`);
  const anyStatement = fc
    .array(anyLiteral, { maxLength: 3 })
    .map((literals) => `SELECT ${["1", ...literals].join(", ")}`);
  fc.assert(
    fc.property(fc.array(anyStatement), (statements) => {
      expect(splitStatements(statements.join(";\n"))).toEqual(statements);
    }),
  );
});
