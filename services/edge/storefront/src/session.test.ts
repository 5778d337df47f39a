import { expect, test } from "vitest";
import { createSession } from "./session.ts";
import { createTestStorage } from "./testing.ts";

test("a token is sent until shortly before it expires; then the session has ended, and is told so once", () => {
  let nowMs = 0;
  const session = createSession(createTestStorage(), () => nowMs);
  let told = 0;
  session.listen(() => {
    told += 1;
  });
  session.begin("token", "usr_1", 900_000);
  expect([session.token(), session.userId(), told]).toEqual(["token", "usr_1", 1]);
  nowMs = 894_000;
  expect(session.token()).toBe("token");
  nowMs = 895_000;
  expect([session.token(), session.userId(), told]).toEqual([undefined, undefined, 2]);
});

test("a session outlives the page", () => {
  const storage = createTestStorage();
  createSession(storage, () => 0).begin("token", "usr_1", 900_000);
  expect(createSession(storage, () => 0).token()).toBe("token");
});

test.each([
  ["customer warehouse", ["customer", "warehouse"]],
  ["~~~???>>>", ["~~~???>>>"]],
  [undefined, []],
])("the scopes of a token that claims %o are %o", (scope, scopes) => {
  const session = createSession(createTestStorage(), () => 0);
  const claims = Buffer.from(JSON.stringify({ sub: "usr_1", scope })).toString("base64url");
  session.begin(`e30.${claims}.signature`, "usr_1", 900_000);
  expect(session.scopes()).toEqual(scopes);
});

test.each(["", "token", "a.b.c", "a.!.c"])("a token that cannot be read, %o, and a visitor have no scopes", (token) => {
  const session = createSession(createTestStorage(), () => 0);
  expect(session.scopes()).toEqual([]);
  session.begin(token, "usr_1", 900_000);
  expect(session.scopes()).toEqual([]);
});
