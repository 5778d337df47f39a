import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { errorReason, retryDelayMs, rpcError } from "../contract/errors.ts";
import { decodeStatus, encodeStatusDetails, statusMessage } from "../contract/grpc-status.ts";
import { publicError } from "./public-error.ts";

const id = "4bf92f3577b34da6a3ce929d0e0e4736";

/** The error as it arrives from another service. */
function received(error: ConnectError): ConnectError {
  return decodeStatus(error.code, statusMessage(error), encodeStatusDetails(error));
}

describe("publicError()", () => {
  test.each([Code.Internal, Code.Unknown, Code.DataLoss, Code.Unimplemented, Code.Unavailable, Code.DeadlineExceeded])(
    "tells of what broke inside the id alone, and when to try again, code %s",
    (code) => {
      const inner = rpcError(code, "connect ECONNREFUSED 10.0.0.7", { reason: "BREAKER_OPEN", retryDelayMs: 100 });
      const error = publicError(received(inner), id);
      expect([error.code, error.metadata.get("x-request-id")]).toEqual([code, id]);
      expect(error.rawMessage).toContain(`(request id ${id})`);
      expect(error.rawMessage).not.toContain("10.0.0.7");
      expect([errorReason(error), retryDelayMs(error), error.details.length]).toEqual([undefined, 100, 1]);
    },
  );

  test.each([Code.Unavailable, Code.DeadlineExceeded])("tells when to try again what is away, code %s", (code) => {
    expect(retryDelayMs(publicError(received(rpcError(code, "away")), id))).toBe(1_000);
  });

  test("promises nothing of what is broken", () => {
    expect(publicError(received(rpcError(Code.Internal, "broken")), id).details).toEqual([]);
  });

  test.each([Code.ResourceExhausted, Code.Aborted])("tells of the mesh's own bounds no names, code %s", (code) => {
    const text = "order.insertOrder: too many callers wait for a connection (queueLengthMax)";
    const inner = rpcError(code, text, { reason: "POOL_EXHAUSTED", domain: "weft", metadata: { limit: "x" } });
    const error = publicError(received(inner), id);
    expect(error.rawMessage).toMatch(/please try again \(request id/);
    expect([error.code, error.details]).toEqual([code, []]);
  });

  test.each([
    Code.NotFound,
    Code.InvalidArgument,
    Code.FailedPrecondition,
    Code.ResourceExhausted,
    Code.Aborted,
    Code.PermissionDenied,
  ])("passes on what the domain says, with its details, code %s", (code) => {
    const violations = [{ field: "lines[0]", description: "above 0" }];
    const inner = rpcError(code, "said by the shop", { reason: "SAID", violations, retryDelayMs: 100 });
    const error = publicError(received(inner), id);
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([code, "said by the shop", "SAID"]);
    expect(error.details.every((detail) => "desc" in detail)).toBe(true);
    expect(error.details).toHaveLength(3);
  });

  test("leaves a detail that cannot be decoded as it is", () => {
    const inner = new ConnectError("no", Code.NotFound);
    const odd = { type: "google.rpc.ErrorInfo", value: new Uint8Array([0x0a, 0xff]) };
    const unknown = { type: "acme.Unknown", value: new Uint8Array([1]) };
    inner.details = [odd, unknown];
    expect(publicError(inner, id).details).toEqual([odd, unknown]);
  });
});
