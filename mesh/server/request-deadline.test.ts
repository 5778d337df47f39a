import { expect, test } from "vitest";
import { requestDeadlineMs } from "./request-deadline.ts";

const nowMs = 1_000_000;
const none = Number.POSITIVE_INFINITY;

test.each([
  [{}, none],
  [{ "connect-timeout-ms": "250" }, nowMs + 250],
  [{ "connect-timeout-ms": "0" }, nowMs],
  [{ "connect-timeout-ms": "-1" }, none],
  [{ "connect-timeout-ms": "1.5" }, none],
  [{ "connect-timeout-ms": "99999999999" }, none],
  [{ "grpc-timeout": "2S" }, nowMs + 2_000],
  [{ "grpc-timeout": "1H" }, nowMs + 3_600_000],
  [{ "grpc-timeout": "3M" }, nowMs + 180_000],
  [{ "grpc-timeout": "20m" }, nowMs + 20],
  [{ "grpc-timeout": "500u" }, nowMs + 0.5],
  [{ "grpc-timeout": "1000n" }, nowMs + 0.001],
  [{ "grpc-timeout": "2s" }, none],
  [{ "grpc-timeout": "123456789m" }, none],
  [{ "grpc-timeout": "" }, none],
  [{ "connect-timeout-ms": "10", "grpc-timeout": "2S" }, nowMs + 10],
])("requestDeadlineMs() of %j", (headers, expected) => {
  expect(requestDeadlineMs(new Headers(headers as Record<string, string>), nowMs)).toBe(expected);
});
