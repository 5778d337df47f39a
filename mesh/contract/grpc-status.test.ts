import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { errorReason, retryDelayMs, rpcError } from "./errors.ts";
import { decodeStatus, encodeStatusDetails, statusMessage, statusName } from "./grpc-status.ts";

const wellFormed = fc.string({ unit: "binary", maxLength: 40 });

function overTheWire(error: ConnectError): ConnectError {
  return decodeStatus(error.code, statusMessage(error), encodeStatusDetails(error));
}

describe("a status with details", () => {
  test("comes out as it went in", () => {
    const info = fc.record({
      reason: wellFormed,
      metadata: fc.dictionary(wellFormed, wellFormed, { maxKeys: 4 }),
      violations: fc.array(fc.record({ field: wellFormed, description: wellFormed }), { maxLength: 5 }),
      retryDelayMs: fc.integer({ min: 0, max: 86_400_000 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), wellFormed, info, (code: Code, message, details) => {
        const received = overTheWire(rpcError(code, message, details));
        expect([received.code, received.rawMessage]).toEqual([code, message]);
        expect(errorReason(received)).toBe(details.reason);
        expect(retryDelayMs(received)).toBe(details.retryDelayMs);
        expect(received.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ ...details.metadata });
        const violations = received.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
        expect(violations.map(({ field, description }) => ({ field, description }))).toEqual(details.violations);
      }),
    );
  });

  test("has none where there were none", () => {
    expect(encodeStatusDetails(rpcError(Code.NotFound, "no"))).toBeUndefined();
    expect(overTheWire(rpcError(Code.NotFound, "no")).details).toEqual([]);
  });

  test("fits into trailers, whatever an error says, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 5_000 }), fc.nat({ max: 400 }), (text, count) => {
        const violations = Array.from({ length: count }, (_, n) => ({ field: `lines[${n}]`, description: text }));
        const error = rpcError(Code.InvalidArgument, `${text}\ud800`, { reason: "BAD", violations });
        expect(encodeURI(statusMessage(error)).length).toBeLessThan(5_000);
        expect(encodeStatusDetails(error)?.length).toBeLessThan(6_000);
        expect(errorReason(overTheWire(error))).toBe("BAD");
      }),
      { numRuns: 30 },
    );
  });

  test("keeps the details that can be encoded", () => {
    const broken = rpcError(Code.Aborted, "no", { reason: "KEPT", retryDelayMs: 5 });
    broken.details.unshift({ desc: RetryInfoSchema, value: { retryDelay: { seconds: 0n, nanos: 0.5 } } });
    const received = overTheWire(broken);
    expect([errorReason(received), retryDelayMs(received), received.details.length]).toEqual(["KEPT", 5, 2]);
  });

  test("keeps code and message if a peer's details are garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const error = decodeStatus(Code.NotFound, "no such order", bytes);
        expect([error.code, error.rawMessage]).toEqual([Code.NotFound, "no such order"]);
      }),
    );
  });
});

test.each([
  [0, "OK"],
  [Code.Canceled, "CANCELLED"],
  [Code.Unauthenticated, "UNAUTHENTICATED"],
  [99, "UNKNOWN"],
])("statusName(%s) is %s", (code, name) => {
  expect(statusName(code)).toBe(name);
});

test("statusMessage() of a message that is cut in the middle of a character is still Unicode", () => {
  const error = new ConnectError(`${"x".repeat(508)}\u{1f600}\u{1f600}\u{1f600}`, Code.Internal);
  expect(statusMessage(error).isWellFormed()).toBe(true);
});
