import { expect, test } from "vitest";
import { isCharge } from "./reply-dropped.ts";

test.each([
  ["POST /v1/authorizations HTTP/1.1", true],
  ["POST /v1/authorizations/auth_1/capture HTTP/1.1", true],
  ["POST /v1/authorizations/auth_1/void HTTP/1.1", false],
  ["GET /v1/authorizations?idempotency_key=authorize%3Aord_1 HTTP/1.1", false],
  ['{"amount":1}', false],
])("%s moves money: %s", (line, expected) => {
  expect(isCharge(Buffer.from(`${line}\r\nhost: provider\r\n\r\n`))).toBe(expected);
});
