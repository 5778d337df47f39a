import { expect, test } from "vitest";
import { insertRows } from "./insert-rows.ts";
import { startTestDatabase } from "./testing.ts";

test("insertRows() inserts more rows than one statement takes, and does as told with those that are there", async () => {
  await using at = await startTestDatabase();
  await at.database.execute("test.create", "CREATE TABLE t (id BIGINT PRIMARY KEY, word VARCHAR(20) NOT NULL)");
  const rows = Array.from({ length: 25_001 }, (_, id) => [id, `word ${id}`]);
  const target = { table: "t", columns: ["id", "word"] };
  expect(await insertRows(at.database, "test.insert", target, rows)).toBe(25_001);
  expect(await insertRows(at.database, "test.insert", target, [])).toBe(0);
  await expect(insertRows(at.database, "test.insert", target, [[7, "again"]])).rejects.toThrow(/Duplicate/);
  const ending = "ON DUPLICATE KEY UPDATE id = t.id";
  await insertRows(at.database, "test.insert", { ...target, ending }, [
    [7, "again"],
    [25_001, "new"],
  ]);
  const found = await at.database.query("test.select", "SELECT word FROM t WHERE id IN (7, 25001) ORDER BY id");
  expect(found).toEqual([{ word: "word 7" }, { word: "new" }]);
});
