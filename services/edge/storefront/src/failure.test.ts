import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { expect, test } from "vitest";
import { describeFailure, fieldFailures } from "./failure.ts";

const withId = new Headers({ "x-request-id": "4bf9" });

test.each(Object.values(Code).filter((code) => typeof code === "number"))(
  "code %s has words and the request's id",
  (code) => {
    const { title, message, requestId } = describeFailure(new ConnectError("what the server says", code, withId));
    expect(title).not.toBe("");
    expect(message).toMatch(/[.]$/);
    expect(requestId).toBe("4bf9");
  },
);

test("an error of ours says nothing of what broke", () => {
  const { message, canRetry } = describeFailure(new ConnectError("SELECT failed", Code.Internal, withId));
  expect(message).not.toContain("SELECT");
  expect(canRetry).toBe(true);
});

test("nobody answering is the network, not the shop", () => {
  expect(describeFailure(new TypeError("Failed to fetch"))).toMatchObject({ title: "No connection", requestId: "" });
});

test.each([
  ["SCOPE_MISSING", Code.PermissionDenied, "For staff only"],
  ["ORDER_STATE", Code.FailedPrecondition, "Too late for that"],
  ["OTHER", Code.PermissionDenied, "Not yours"],
])("the reason %s has words of its own where there are better ones than the code's", (reason, code, title) => {
  const error = new ConnectError("in the server's words", code, withId, [{ desc: ErrorInfoSchema, value: { reason } }]);
  expect(describeFailure(error)).toMatchObject({ title, canRetry: false, requestId: "4bf9" });
});

test("a limit tells how long to wait", () => {
  const error = new ConnectError("slow down", Code.ResourceExhausted, withId, [
    { desc: RetryInfoSchema, value: { retryDelay: { seconds: 7n } } },
  ]);
  expect(describeFailure(error).message).toBe("Please wait 7 seconds, then try again.");
});

test("what is wrong with a field is told at the field", () => {
  const error = new ConnectError("bad", Code.InvalidArgument, withId, [
    { desc: BadRequestSchema, value: { fieldViolations: [{ field: "email", description: "must be an address" }] } },
  ]);
  expect([...fieldFailures(error)]).toEqual([["email", "Must be an address."]]);
});
