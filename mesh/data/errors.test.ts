import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { errorReason } from "../contract/errors.ts";
import { isConflict, isDatabaseUnavailable, isDuplicateKey, mapDriverError } from "./errors.ts";

const driverError = (message: string, fields: object) => Object.assign(new Error(message), fields);

test.each([
  ["refused", driverError("connect ECONNREFUSED", { code: "ECONNREFUSED", fatal: true }), Code.Unavailable],
  ["lost", driverError("Connection lost", { code: "PROTOCOL_CONNECTION_LOST", fatal: true }), Code.Unavailable],
  [
    "too many connections",
    driverError("Too many connections", { errno: 1040, code: "ER_CON_COUNT_ERROR" }),
    Code.Unavailable,
  ],
  ["pool closed", driverError("Pool is closed.", {}), Code.Unavailable],
  ["queue full", driverError("Queue limit reached.", {}), Code.ResourceExhausted],
  ["statement time limit", driverError("max_statement_time exceeded", { errno: 1969 }), Code.DeadlineExceeded],
])("mapDriverError(): %s", (_, cause, code) => {
  const error = mapDriverError(cause, "order.find");
  expect(error).toMatchObject({ code, cause });
  expect((error as ConnectError).message).toContain("order.find");
  expect(isDatabaseUnavailable(new Error("outer", { cause: error }))).toBe(code !== Code.DeadlineExceeded);
});

test("mapDriverError() leaves alone what is about the statement", () => {
  const duplicate = driverError("Duplicate entry 'a' for key 'PRIMARY'", { errno: 1062, code: "ER_DUP_ENTRY" });
  expect(mapDriverError(duplicate, "order.insert")).toBe(duplicate);
  expect(isDatabaseUnavailable(duplicate)).toBe(false);
});

test("mapDriverError() names the limit that the pool has reached", () => {
  const error = mapDriverError(driverError("Queue limit reached.", {}), "order.find") as ConnectError;
  expect(error.rawMessage).toContain("queueLengthMax");
  expect(errorReason(error)).toBe("DATABASE_POOL_EXHAUSTED");
});

test("another service's UNAVAILABLE does not say that the database is away", () => {
  expect(isDatabaseUnavailable(new ConnectError("payment is away", Code.Unavailable))).toBe(false);
});

test.each([
  ["MariaDB", "Duplicate entry 'a@b' for key 'email'"],
  ["MySQL", "Duplicate entry 'a@b' for key 'users.email'"],
])("isDuplicateKey() knows the index as %s names it", (_, message) => {
  const error = driverError(message, { errno: 1062 });
  expect(isDuplicateKey(error)).toBe(true);
  expect(isDuplicateKey(error, "email")).toBe(true);
  expect(isDuplicateKey(error, "mail")).toBe(false);
  expect(isDuplicateKey(error, "PRIMARY")).toBe(false);
});

test("isDuplicateKey() and isConflict() are false for anything else", () => {
  for (const error of [undefined, null, "1062", new Error("1062"), driverError("x", { errno: 1064 })]) {
    expect([isDuplicateKey(error), isConflict(error)]).toEqual([false, false]);
  }
});
