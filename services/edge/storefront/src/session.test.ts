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
