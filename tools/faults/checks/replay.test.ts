import { expect, test } from "vitest";
import { checkReplay } from "./replay.ts";

const tables = { "order.orders": "2 rows, 17", "inventory.stock": "3 rows, 4" };
const made = (changes: object = {}) => new Map<string, string>(Object.entries({ ...tables, ...changes }));

test("a replay that changes no table gives no finding", () => {
  expect(checkReplay(made(), made())).toEqual([]);
});

test("a table that a replay has changed is found", () => {
  expect(checkReplay(made(), made({ "inventory.stock": "3 rows, 5" }))).toMatchObject([
    { invariant: "replay changes nothing", subject: "inventory.stock" },
  ]);
});
