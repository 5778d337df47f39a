import { expect, test } from "vitest";
import { DEFAULT_SETTINGS, differences, readSettings, settle } from "./settings.ts";

test("an empty environment asks for nothing, and settles on the defaults", () => {
  expect(readSettings({})).toEqual({});
  expect(settle({}, undefined)).toEqual(DEFAULT_SETTINGS);
});

test("what is not asked for stays as it runs", () => {
  const running = settle(readSettings({ WEFT_PORT_BASE: "17000", LOG_LEVEL: "debug" }), undefined);
  const next = settle(readSettings({ TOPOLOGY: "single" }), running);
  expect(next).toEqual({ ...running, topology: "single" });
  expect(differences(running, next)).toEqual(["TOPOLOGY from multi to single"]);
  expect(differences(running, settle({}, running))).toEqual([]);
});

test("a shop without a past is asked for by name, and is another shop", () => {
  expect(DEFAULT_SETTINGS.history).toBe(true);
  const without = settle(readSettings({ SEED_HISTORY: "no" }), undefined);
  expect(without.history).toBe(false);
  expect(settle({}, without)).toEqual(without);
  expect(differences(DEFAULT_SETTINGS, without)).toEqual(["SEED_HISTORY from yes to no"]);
});

test("a change of an engine's URL is told without the URL, which may hold a password", () => {
  const after = settle(readSettings({ MYSQL_URL: "mysql://root:secret@db:3306" }), DEFAULT_SETTINGS);
  expect(after.engineUrls).toEqual({ MYSQL_URL: "mysql://root:secret@db:3306" });
  expect(differences(DEFAULT_SETTINGS, after).join()).toMatch(/^MYSQL_URL/);
  expect(differences(DEFAULT_SETTINGS, after).join()).not.toContain("secret");
});

test.each([
  [{ WEFT_PORT_BASE: "abc" }, /WEFT_PORT_BASE/],
  [{ WEFT_PORT_BASE: "80" }, /WEFT_PORT_BASE/],
  [{ EDGE_PORT: "70000" }, /EDGE_PORT/],
  [{ TOPOLOGY: "mono" }, /TOPOLOGY=mono is neither/],
  [{ SEED_HISTORY: "maybe" }, /SEED_HISTORY=maybe is neither yes/],
  [{ NATS_URL: "http://x" }, /NATS_URL/],
])("%j is refused by name", (env, message) => {
  expect(() => readSettings(env)).toThrow(message);
});

test("a public port that the stack needs itself is refused", () => {
  expect(() => settle({ edgePort: 7001 }, undefined)).toThrow(
    "EDGE_PORT=7001 is mariadb's port with WEFT_PORT_BASE=7000",
  );
});
