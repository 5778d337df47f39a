import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { rpcError } from "./errors.ts";
import { forbidRetry, pushbackMs, pushbackTrailer } from "./pushback.ts";

const never = Number.POSITIVE_INFINITY;

test.each([
  ["0", 0],
  ["250", 250],
  ["2147483647", 2_147_483_647],
  ["-1", never],
  ["2147483648", never],
  ["99999999999", never],
  ["1.5", never],
  ["soon", never],
  ["", never],
  ["250, 300", never],
])("pushbackMs() of %j is %d", (value, expected) => {
  const error = rpcError(Code.Unavailable, "away");
  error.metadata.set(pushbackTrailer, value);
  expect(pushbackMs(error)).toBe(expected);
});

test("pushbackMs() of an error that says nothing is undefined, and of one that forbids it never", () => {
  const error = rpcError(Code.Unavailable, "away");
  expect(pushbackMs(error)).toBeUndefined();
  forbidRetry(error);
  expect(pushbackMs(error)).toBe(never);
});
