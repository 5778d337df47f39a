import { expect, test } from "vitest";
import { sumOf } from "../prometheus.ts";
import { summarizeProfile } from "./profile.ts";
import { countStatements, type LogLine, unitsOf } from "./recording.ts";
import { renewed, scriptsOf } from "./scripts.ts";
import { parseStatement } from "./statements.ts";

const orderId = (ending: string) => `ord_2A01KAMZ4PQ3W8T5R7V9X2${ending.padStart(6, "0")}`;
const eventId = (ending: string) => `01KAMZ4PQ3W8T5R7V9X2${ending.padStart(6, "0")}`;

test("the values of a logged statement become parameters of the type that they had", () => {
  const logged = `/* order.insertEvent */ INSERT INTO t (a, b, c, d, e) VALUES ('it''s \\'so\\'\\n', 7, NULL, TIMESTAMP'2026-11-22 09:00:00.123000', -1)`;
  expect(parseStatement(logged)).toEqual({
    name: "order.insertEvent",
    sql: "/* order.insertEvent */ INSERT INTO t (a, b, c, d, e) VALUES (?, ?, NULL, ?, ?)",
    values: ["it's 'so'\n", 7n, new Date("2026-11-22T09:00:00.123Z"), -1n],
  });
});

test("what is no value stays in the statement: lengths of types, paths in JSON, names with digits", () => {
  const logged = `/* a.b */ SELECT x1 FROM JSON_TABLE('[["a"]]', '$[*]' COLUMNS (x1 VARCHAR(64) PATH '$[0]')) AS j WHERE t > UTC_TIMESTAMP(3) LIMIT 5`;
  expect(parseStatement(logged)).toEqual({
    name: "a.b",
    sql: "/* a.b */ SELECT x1 FROM JSON_TABLE(?, '$[*]' COLUMNS (x1 VARCHAR(64) PATH '$[0]')) AS j WHERE t > UTC_TIMESTAMP(3) LIMIT ?",
    values: ['[["a"]]', 5n],
  });
});

const line = (thread: number, command: string, argument: string): LogLine => ({
  ...{ user: "shop_order", thread, command, argument },
});

test("statements of one connection between START TRANSACTION and its end are one unit, whatever others do meanwhile", () => {
  const units = unitsOf(
    [
      line(1, "Query", "SET SESSION time_zone = '+00:00'"),
      line(1, "Query", "START TRANSACTION"),
      line(1, "Execute", "/* a.first */ SELECT 1"),
      line(2, "Execute", "/* b.single */ SELECT 2"),
      line(1, "Execute", "/* a.second */ SELECT 3"),
      line(1, "Query", "COMMIT"),
      line(3, "Query", "START TRANSACTION"),
      line(3, "Execute", "/* c.cut */ SELECT 4"),
    ],
    "shop",
  );
  const names = units.map(({ isTransaction, statements }) => [isTransaction, ...statements.map(({ name }) => name)]);
  expect(names).toEqual([
    [true, "a.first", "a.second"],
    [false, "b.single"],
  ]);
  const counts = countStatements(units, 2).map(({ service, name, perOrder }) => [service, name, perOrder]);
  expect(counts.sort()).toEqual([
    ["order", "COMMIT", 0.5],
    ["order", "START TRANSACTION", 0.5],
    ["order", "a.first", 0.5],
    ["order", "a.second", 0.5],
    ["order", "b.single", 0.5],
  ]);
});

test("on a connection that commits nothing by itself a transaction begins with its first statement", () => {
  const units = unitsOf(
    [
      line(1, "Execute", "/* a.first */ SELECT 1"),
      line(1, "Execute", "/* a.second */ SELECT 1"),
      line(1, "Query", "COMMIT"),
      line(1, "Execute", "/* b.first */ SELECT 1"),
      line(1, "Query", "ROLLBACK"),
    ],
    "shop",
  );
  const found = units.map(({ isImplicit, end, statements }) => [
    isImplicit,
    end,
    ...statements.map(({ name }) => name),
  ]);
  expect(found).toEqual([
    [true, "COMMIT", "a.first", "a.second"],
    [true, "ROLLBACK", "b.first"],
  ]);
  expect(countStatements(units, 1).map(({ name }) => name)).not.toContain("START TRANSACTION");
});

test("each order gets what names it, its events' handling too; a batch goes to the last order in it", () => {
  const [first, second] = [orderId("A"), orderId("B")];
  const unit = (name: string, ...values: string[]) => ({
    ...{ service: "order", isTransaction: false, isImplicit: false, end: "COMMIT" as const },
    statements: [{ name, sql: "", values }],
  });
  const units = [
    unit("insert", first, eventId("1")),
    unit("claim"),
    unit("insert", second, eventId("2")),
    unit("handle", eventId("1")),
    unit("batch", eventId("2"), eventId("1")),
  ];
  const names = scriptsOf(units, [first, second]).map((script) => script.map(({ statements: [each] }) => each?.name));
  expect(names).toEqual([
    ["insert", "claim", "handle"],
    ["insert", "batch"],
  ]);
});

test("a script that is run again is another order's: ids are new and alike, users' and all else are as they were", () => {
  const user = `usr_2A01KAMZ4PQ3W8T5R7V9X2CCCCCC`;
  const values = [`${orderId("A")} ${user}`, eventId("1"), `${eventId("1")}-EMAIL`, 5n];
  const script = [
    {
      service: "order",
      isTransaction: false,
      isImplicit: false,
      end: "COMMIT" as const,
      statements: [{ name: "a", sql: "", values }],
    },
  ];
  const [again] = renewed(script, 33);
  expect(again?.statements[0]?.values).toEqual([
    `${orderId("11")} ${user}`,
    eventId("11"),
    `${eventId("11")}-EMAIL`,
    5n,
  ]);
});

test("a counter is added up over its labels", () => {
  const metrics = `# TYPE rpc_server_call_duration_seconds histogram
rpc_server_call_duration_seconds_count{rpc_method="a"} 3
rpc_server_call_duration_seconds_count{rpc_method="b"} 4
rpc_server_call_duration_seconds_sum{rpc_method="b"} 9
weft_consumer_events_total{outcome="handled"} 2`;
  expect(sumOf(metrics, "rpc_server_call_duration_count")).toBe(7);
  expect(sumOf(metrics, "weft_consumer_events_total")).toBe(2);
  expect(sumOf(metrics, "nothing_total")).toBe(0);
});

test("a profile is added up by part, from a moment on, without the time in which nothing was done", () => {
  const node = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, lineNumber: 1 },
  });
  const summary = summarizeProfile(
    {
      nodes: [
        node(1, "(idle)", ""),
        node(2, "start", "file:///x/services/order/main.ts"),
        node(3, "query", "file:///x/node_modules/mysql2/lib/pool.js"),
        node(4, "writev", ""),
      ],
      startTime: 1_000_000,
      samples: [2, 3, 1, 3, 4],
      timeDeltas: [1_000, 2_000, 50_000, 4_000, 3_000],
    },
    1_002_000,
  );
  expect(summary).toEqual({
    process: "order",
    busyMs: 9,
    parts: [
      ["mysql2", 6],
      ["native code", 3],
    ],
  });
});
