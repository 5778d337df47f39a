import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { cancellation, errorReason, meaningOf, retryDelayMs, rpcError, toDuration } from "./errors.ts";

describe("rpcError()", () => {
  test("carries code, message and cause, and no details that it was not given", () => {
    const cause = new Error("the driver's words");
    const error = rpcError(Code.NotFound, "no such order", { cause });
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no such order", cause, details: [] });
    expect([errorReason(error), retryDelayMs(error)]).toEqual([undefined, undefined]);
  });

  test("puts a reason, violations and a delay into google.rpc details", () => {
    const violations = [{ field: "lines[0].quantity", description: "must be above 0" }];
    const metadata = { product: "p1" };
    const error = rpcError(Code.InvalidArgument, "no", { reason: "BAD", metadata, violations, retryDelayMs: 1_500 });
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: "BAD", domain: "", metadata });
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject(violations);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect([errorReason(error), retryDelayMs(error)]).toEqual(["BAD", 1_500]);
  });
});

test("cancellation() is the reason of ours with which a signal was aborted, else CANCELLED with that as its cause", () => {
  const ours = rpcError(Code.DeadlineExceeded, "too late");
  const other = new Error("the tab was closed");
  expect(cancellation(AbortSignal.abort(ours))).toBe(ours);
  expect(cancellation(AbortSignal.abort(other))).toMatchObject({ code: Code.Canceled, cause: other });
});

test("toDuration() is exact to the nanosecond, with seconds and nanos of the same sign", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (ms) => {
      const { seconds, nanos } = toDuration(ms);
      expect(Number.isInteger(nanos) && Math.abs(nanos) < 1e9).toBe(true);
      expect(Math.abs(Number(seconds) * 1000 + nanos / 1e6 - ms)).toBeLessThan(Math.max(1e-6, Math.abs(ms) * 1e-12));
      if (seconds !== 0n && nanos !== 0) expect(Math.sign(nanos)).toBe(Number(seconds) > 0 ? 1 : -1);
    }),
  );
});

const all = Object.values(Code).filter((code) => typeof code === "number");

test.each([
  ["may be repeated", "retryable", [Code.DeadlineExceeded, Code.ResourceExhausted, Code.Unavailable]],
  [
    "counts against the endpoint's breaker",
    "endpointFailure",
    [Code.Unknown, Code.DeadlineExceeded, Code.Internal, Code.Unavailable, Code.DataLoss],
  ],
] as const)("what %s is what DESIGN.md's table says", (_name, property, expected) => {
  expect(all.filter((code) => meaningOf(code)[property])).toEqual(expected);
});

test.each([
  ["error", [Code.Unknown, Code.Internal, Code.DataLoss]],
  ["warn", [Code.DeadlineExceeded, Code.Unavailable]],
  ["info", [Code.ResourceExhausted, Code.Aborted]],
] as const)("what is logged as %s is what DESIGN.md's table says", (level, expected) => {
  expect(all.filter((code) => meaningOf(code).logLevel === level)).toEqual(expected);
});
