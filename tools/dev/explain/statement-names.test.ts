import { expect, test } from "vitest";
import { findStatementSites, isNameOf, readStatementSites } from "./statement-names.ts";

const found = (source: string, file = "services/a/store.ts") =>
  findStatementSites(file, source).map(({ line, name }) => [line, name]);

test("each call that runs a statement is found with its name, however it is written", () => {
  const source = `
    await tx.query<Pick<Row, "id">>("a.one", "SELECT 1");
    await database.execute(
      "a.two",
      sql,
    );
    const rows = await within.query<{ a: string; b: (x: number) => void }>("a.three", f("x, y"), [1]);
    await insertRows(tx, "a.four", { table: "t", columns: ["a"] }, rows);
    await database.query(\`\${name}.five\`, sql);
    import { insertRows } from "@weft/mesh/data";
  `;
  expect(found(source)).toEqual([
    [2, "a.one"],
    [3, "a.two"],
    [7, "a.three"],
    [9, "*.five"],
    [8, "a.four"],
  ]);
});

test("a name that nobody can tell from the source is told as such; a breaker's work is no statement", () => {
  expect(found("await database.query(name, sql);")).toEqual([[1, undefined]]);
  expect(found(`await database.query(\`a.\${b}\`, sql);`)).toEqual([[1, undefined]]);
  expect(found("await breaker.execute(() => send());")).toEqual([]);
  expect(found("await breaker.execute(async (x) => send(x));")).toEqual([]);
});

test("a name with a part that is known at run time only is that of each statement that ends so", () => {
  const [site] = findStatementSites("mesh/data/rows.ts", `await at.database.execute(\`\${at.name}.claim\`, sql);`);
  expect(site && isNameOf(site, "order.sagas.claim")).toBe(true);
  expect(site && isNameOf(site, "order.sagas.claimed")).toBe(false);
});

test("the product's statements are found, all with a name, and no name stands for two", async () => {
  const sites = await readStatementSites(new URL("../../../", import.meta.url).pathname);
  expect(sites.length).toBeGreaterThan(100);
  expect(sites.filter(({ name }) => name === undefined)).toEqual([]);
  const places = Map.groupBy(sites, ({ name }) => name ?? "");
  expect([...places.values()].filter((same) => same.length > 1)).toEqual([]);
});
