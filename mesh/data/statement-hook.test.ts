import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import type { StatementHook } from "../contract/statement-hook.ts";
import { startTestDatabase } from "./testing.ts";

let at: Awaited<ReturnType<typeof startTestDatabase>>;

beforeAll(async () => {
  at = await startTestDatabase();
  await at.database.execute("test.create", "CREATE TABLE items (n BIGINT)");
});
afterAll(() => at?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await at.database.execute("test.clear", "DELETE FROM items");
});

const numbers = async () =>
  (await at.database.query<{ n: string }>("test.select", "SELECT n FROM items")).map(({ n }) => n);

/** Inserts 1 in a transaction, on a pool of its own with this hook. */
async function insertWith(onStatement: StatementHook) {
  await using own = at.open({ onStatement });
  await own.transaction("test.add", async (tx) => {
    await tx.execute("test.insert", "INSERT INTO items (n) VALUES (1)");
  });
}

/** A hook that fails at one place. */
const failing = (place: string, reason: string): StatementHook => {
  return (when, name) => {
    if (`${when} ${name}` === place) throw rpcError(Code.Unavailable, reason);
  };
};

test("a hook is told of statements alone, in transactions, in sessions, and of COMMITs", async () => {
  const told: string[] = [];
  await using own = at.open({ onStatement: (when, name) => void told.push(`${when} ${name}`) });
  await own.query("test.alone", "SELECT 1");
  await own.transaction("test.add", (tx) => tx.execute("test.insert", "INSERT INTO items (n) VALUES (1)"));
  await own.session("test.own", (session) => session.query("test.inSession", "SELECT 1"));
  expect(told).toEqual([
    ...["before test.alone", "after test.alone"],
    ...["before test.insert", "after test.insert", "before test.add.commit", "after test.add.commit"],
    ...["before test.own.setLimits", "after test.own.setLimits", "before test.inSession", "after test.inSession"],
  ]);
});

test("what a hook returns is waited for: nothing is committed before, all is after", async () => {
  const seen: Record<string, string[]> = {};
  await insertWith(async (when, name) => {
    seen[`${when} ${name}`] = await numbers();
  });
  expect(seen).toMatchObject({ "after test.insert": [], "before test.add.commit": [], "after test.add.commit": ["1"] });
});

test("a hook is not told that a statement which failed is over", async () => {
  const told: string[] = [];
  await using own = at.open({ onStatement: (when) => void told.push(when) });
  await expect(own.query("test.bad", "SELECT nothing FROM nowhere")).rejects.toThrow();
  expect(told).toEqual(["before"]);
});

test.each([
  ["before test.insert", { code: Code.Unavailable }, []],
  ["after test.insert", { code: Code.Unavailable }, []],
  ["before test.add.commit", { code: Code.Unknown, details: [{ value: { reason: "COMMIT_OUTCOME_UNKNOWN" } }] }, []],
  ["after test.add.commit", { code: Code.Unknown, details: [{ value: { reason: "COMMIT_OUTCOME_UNKNOWN" } }] }, ["1"]],
])("a hook that throws %s is the statement's error", async (place, error, left) => {
  await expect(insertWith(failing(place, "as the harness wants"))).rejects.toMatchObject(error);
  expect(await numbers()).toEqual(left);
});
