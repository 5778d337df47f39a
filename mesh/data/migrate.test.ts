import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "./migrate.ts";
import { startTestDatabase } from "./testing.ts";

let at: Awaited<ReturnType<typeof startTestDatabase>>;
let directory: string;
let component: string;
let table: string;

beforeAll(async () => {
  at = await startTestDatabase();
});
afterAll(() => at?.[Symbol.asyncDispose]());
beforeEach(async (context) => {
  directory = await mkdtemp(join(tmpdir(), "weft-migrate-"));
  context.onTestFinished(() => rm(directory, { recursive: true }));
  component = `c${context.task.id.replaceAll("-", "")}`.slice(0, 64);
  table = `t${context.task.id.replaceAll("-", "")}`.slice(0, 60);
});

const write = (file: string, sql: string) => writeFile(join(directory, file), sql);
const run = (database = at.database) =>
  migrate({ database, component, directory: pathToFileURL(directory), logger: at.telemetry.logger });
const columns = async () => {
  const rows = await at.database.query<{ name: string }>(
    "test.columns",
    "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY name",
    [table],
  );
  return rows.map((row) => row.name).join();
};

test("migrate() applies what is new, in order, once", async () => {
  await write("0002_add_b.sql", `ALTER TABLE ${table} ADD COLUMN b INT;`);
  await write(
    "0001_create.sql",
    `-- A table; of one column.\nCREATE TABLE ${table} (a INT); INSERT INTO ${table} VALUES (1);`,
  );
  await write("README.md", "not a migration");
  await run();
  await run();
  expect(await columns()).toBe("a,b");
  await write("0003_add_c.sql", `ALTER TABLE ${table} ADD COLUMN c INT;`);
  await run();
  expect(await columns()).toBe("a,b,c");
  expect(await at.database.query("test.rows", `SELECT a FROM ${table}`)).toEqual([{ a: 1 }]);
});

test("several starters at once are safe", async () => {
  await write("0001_create.sql", `CREATE TABLE ${table} (a INT)`);
  await write("0002_fill.sql", `INSERT INTO ${table} SELECT SLEEP(0.1)`);
  await using other = at.open({});
  await Promise.all([run(), run(other), run(), run(other)]);
  expect(await at.database.query("test.rows", `SELECT a FROM ${table}`)).toHaveLength(1);
});

test("an edited migration that was applied already is an error naming the file; line ends do not count", async () => {
  await write("0001_create.sql", `CREATE TABLE ${table}\n(a INT)`);
  await run();
  await write("0001_create.sql", `CREATE TABLE ${table}\r\n(a INT)`);
  await run();
  await write("0001_create.sql", `CREATE TABLE ${table}\n(a BIGINT)`);
  await expect(run()).rejects.toThrow("0001_create.sql: was edited");
});

test("a statement that fails names file and statement; what came before it in other files stays", async () => {
  await write("0001_create.sql", `CREATE TABLE ${table} (a INT)`);
  await write("0002_wrong.sql", "SELECT 1; SELEC 2");
  await expect(run()).rejects.toThrow("0002_wrong.sql: statement 2: ");
  await write("0002_wrong.sql", "SELECT 1; SELECT 2");
  await run();
});

test("numbers are unique, forward only and in the name", async () => {
  await write("0002_create.sql", `CREATE TABLE ${table} (a INT)`);
  await run();
  await write("0001_late.sql", "SELECT 1");
  await expect(run()).rejects.toThrow("0001_late.sql: comes after 2");
  await rm(join(directory, "0001_late.sql"));
  await write("0002_twin.sql", "SELECT 1");
  await expect(run()).rejects.toThrow("0002_twin.sql: has the same number as 0002_create.sql");
  await rm(join(directory, "0002_twin.sql"));
  await write("3_short.sql", "SELECT 1");
  await expect(run()).rejects.toThrow("3_short.sql: name it like");
});

test("an older release starts on a newer schema", async () => {
  await write("0001_create.sql", `CREATE TABLE ${table} (a INT)`);
  await write("0002_add_b.sql", `ALTER TABLE ${table} ADD COLUMN b INT`);
  await run();
  await rm(join(directory, "0002_add_b.sql"));
  await run();
  expect(await columns()).toBe("a,b");
});
