import { createDatabase, type Database, insertRows } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { type Connection, createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabaseAndUser } from "../engines/database.ts";
import { startMariadb } from "../testing/engines.ts";
import { type ExplainRules, explainAll, findSmallTables, findUnseen } from "./explain-all.ts";
import { endRecording, type Recording, startRecording } from "./general-log.ts";
import type { StatementSite } from "./statement-names.ts";

const ROWS = 3_000;
const rules: ExplainRules = { fixedTables: ["kinds"], sortedRowsMax: 100, rowsMin: 1_000, accepted: {} };

const resources = new AsyncDisposableStack();
let server: Connection;
let database: Database;
let url: string;

beforeAll(async () => {
  // Of its own: what others run at the same time would be written down as well.
  const engine = resources.use(await startMariadb());
  url = await createDatabaseAndUser(engine.url, "ex_shop", "secret");
  server = await createConnection(engine.url);
  resources.defer(() => server.end());
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url, telemetry }));
  await database.session("test.create", async (session) => {
    await session.script(
      "test.create",
      `CREATE TABLE things (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, word VARCHAR(50) NOT NULL, price BIGINT NOT NULL,
         KEY owner (owner), KEY word (word), FULLTEXT KEY words (word))`,
    );
    await session.script("test.create", "CREATE TABLE kinds (id BIGINT PRIMARY KEY, name VARCHAR(50) NOT NULL)");
  });
  const rows = Array.from({ length: ROWS }, (_, id) => [id, id % 300, `word${id % 1000} text`, id % 7]);
  await insertRows(database, "test.fill", { table: "things", columns: ["id", "owner", "word", "price"] }, rows);
  await insertRows(database, "test.fill", { table: "kinds", columns: ["id", "name"] }, [[1, "a"]]);
  await server.query("ANALYZE TABLE ex_shop.things, ex_shop.kinds");
});
afterAll(() => resources.disposeAsync());

/** What is recorded while somebody works. */
async function record(work: () => Promise<unknown>): Promise<Recording> {
  await server.query("TRUNCATE TABLE mysql.general_log");
  await startRecording(server);
  await work();
  return await endRecording(server, "ex");
}

describe("a statement whose plan gets slower with each row is named, with the table and how many rows it reads:", () => {
  const cases: readonly [what: string, problem: RegExp, sql: string, params: (string | number)[]][] = [
    ["a scan", /whole table: things, about 3000 rows/, "SELECT id FROM things WHERE price = ?", [3]],
    ["a function of an indexed column", /whole/, "SELECT id FROM things AS t WHERE CONCAT(word) = ?", ["x"]],
    ["a full scan of an index", /whole index: things/, "SELECT COUNT(owner) FROM things", []],
    [
      "a list without an index for its order",
      /whole table: things/,
      "SELECT id FROM things ORDER BY price LIMIT 2",
      [],
    ],
    ["a sort of much", /sorts.*things/, "SELECT id FROM things WHERE id > ? ORDER BY price LIMIT 2", [5]],
    [
      "a sort of all that has a word",
      /sorts/,
      "SELECT id FROM things WHERE MATCH (word) AGAINST (?) ORDER BY id",
      ["a"],
    ],
    [
      "the table behind a join",
      /whole table: things/,
      "SELECT t.id FROM kinds AS k JOIN things AS t ON t.price = k.id",
      [],
    ],
    ["a subquery", /whole table: things/, "SELECT (SELECT MAX(price) FROM things) AS m, k.id FROM kinds AS k", []],
    ["a derived table", /whole/, "SELECT id FROM (SELECT id, price FROM things WHERE price = 3 LIMIT 9) AS x", []],
    ["an update", /whole index: things/, "UPDATE things SET word = 'new' WHERE price = ?", [99]],
    ["a delete", /whole/, "DELETE FROM things WHERE price = ?", [99]],
    [
      "an insert of what it selects",
      /whole/,
      "INSERT INTO kinds (id, name) SELECT id, word FROM things WHERE price = ?",
      [99],
    ],
  ];
  test.each(cases)("%s", async (_what, problem, sql, params) => {
    const returnsRows = sql.startsWith("SELECT");
    const recording = await record(() =>
      returnsRows ? database.query("test.bad", sql, params) : database.execute("test.bad", sql, params),
    );
    const { problems, count } = await explainAll(server, recording, rules);
    expect(count).toBe(1);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^test\.bad: /);
    expect(problems[0]).toMatch(problem);
    const accepted = { ...rules, accepted: { "test.bad": "we know" } };
    expect(await explainAll(server, recording, accepted)).toEqual({ problems: [], accepted: ["test.bad"], count: 1 });
  });
});

test("a statement that an index serves is fine, and so is one that reads a table which does not grow", async () => {
  const recording = await record(async () => {
    await database.query("test.good", "SELECT id FROM things WHERE id = ?", [3]);
    await database.query("test.good", "SELECT id FROM things WHERE id IN (?, ?, ?)", [3, 4, 5]);
    await database.query("test.good", "SELECT id FROM things WHERE id > ? ORDER BY id LIMIT 10", [3]);
    await database.query("test.good", "SELECT id FROM things WHERE owner = ? ORDER BY price", [3]);
    await database.query("test.good", "SELECT 1 FROM things LIMIT 1");
    await database.query("test.good", "SELECT name FROM kinds ORDER BY name");
    await database.query("test.good", "SELECT id FROM things WHERE MATCH (word) AGAINST (?) LIMIT 3", ["word3"]);
    await database.execute("test.good", "UPDATE things SET price = ? WHERE owner = ?", [8, 3]);
    await database.execute("test.good", "DELETE FROM things WHERE id < ? ORDER BY id LIMIT 5", [0]);
    await database.execute("test.good", "INSERT INTO kinds (id, name) VALUES (?, ?), (?, ?)", [7, "x", 8, "it's"]);
  });
  expect(recording.samples).toHaveLength(10);
  expect(await explainAll(server, recording, rules)).toEqual({ problems: [], accepted: [], count: 9 });
});

test("of a statement that runs often, a few are kept, whatever its values and however long its lists", async () => {
  const recording = await record(async () => {
    for (let id = 1; id <= 10; id += 1) {
      const ids = Array.from({ length: id }, (_, at) => at);
      await database.query("test.lists", `SELECT id FROM things WHERE id IN (${ids.map(() => "?").join(", ")})`, ids);
    }
  });
  expect(recording.samples).toHaveLength(3);
});

describe("findUnseen()", () => {
  const site = (name: string | undefined, line = 7): StatementSite => ({ file: "services/a/store.ts", line, name });

  test("names what nobody has run, what ran and is not in the source, and what ran past the mesh", async () => {
    const recording = await record(async () => {
      await database.query("a.find", "SELECT id FROM things WHERE id = ?", [3]);
      await database.query("a.jobs.claim", "SELECT id FROM things WHERE id = ?", [3]);
      await database.query("a.gone", "SELECT id FROM things WHERE id = ?", [3]);
      await database.transaction("a.transaction", async () => {});
      const bypass = await createConnection(url);
      await bypass.query("SELECT word FROM things WHERE id = 8");
      await bypass.end();
    });
    const sites = [site("a.find"), site("*.claim"), site("*.renew", 8), site("a.never", 9), site(undefined, 10)];
    expect(findUnseen(sites, recording)).toEqual([
      "services/a/store.ts:8: *.renew was never run: make the tour run it",
      "services/a/store.ts:9: a.never was never run: make the tour run it",
      "services/a/store.ts:10: the statement's name is no literal",
      "a.gone was run, but is nowhere in the source",
      "was run past @weft/mesh/data: SELECT word FROM things WHERE id = 8",
    ]);
  });
});

test("a table with too little in it is named: its plans would mean nothing", async () => {
  expect(await findSmallTables(server, ["ex_shop"], { ...rules, fixedTables: [] })).toEqual([
    expect.stringMatching(/^ex_shop\.kinds has \d rows, not 1000$/),
  ]);
  expect(await findSmallTables(server, ["ex_shop"], rules)).toEqual([]);
});
