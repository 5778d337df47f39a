import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, retryDelayMs, rpcError } from "@weft/mesh/contract";
import { BadRequestSchema, DebugInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { describe, expect, test } from "vitest";
import { outward, outwardStream, toOutward } from "./outward.ts";

const secret = "connect ECONNREFUSED 10.0.3.7:7140";

describe("toOutward()", () => {
  test.each([
    Code.InvalidArgument,
    Code.NotFound,
    Code.AlreadyExists,
    Code.PermissionDenied,
    Code.Unauthenticated,
    Code.FailedPrecondition,
    Code.ResourceExhausted,
    Code.Aborted,
    Code.OutOfRange,
    Code.Canceled,
  ])("passes on code %i with its message and details", (code) => {
    const violations = [{ field: "sku", description: "too long" }];
    const error = toOutward(rpcError(code, "not like this", { reason: "WRONG", violations }), "id-1");
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([code, "not like this", "WRONG"]);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject(violations);
  });

  test.each([Code.Internal, Code.Unknown, Code.DataLoss, Code.Unimplemented])(
    "hides code %i behind INTERNAL and the request's id",
    (code) => {
      const error = toOutward(rpcError(code, secret, { reason: "ER_DUP_ENTRY" }), "id-1");
      expect([error.code, errorReason(error)]).toEqual([Code.Internal, "INTERNAL"]);
      expect(error.rawMessage).toContain("request id id-1");
    },
  );

  test("hides an error that is none of ours", () => {
    expect(toOutward(new TypeError(secret), "id-1")).toMatchObject({ code: Code.Internal });
  });

  test.each([Code.Internal, Code.Unavailable, Code.DeadlineExceeded])(
    "says nothing of where code %i came from",
    (code) => {
      const inner = rpcError(code, secret, { metadata: { endpoint: secret } });
      inner.metadata.set("x-inner", secret);
      const error = toOutward(inner, undefined);
      const values = error.details.map((detail) => JSON.stringify(detail.value));
      expect([error.rawMessage, ...error.metadata, ...values].join()).not.toContain("10.0.3.7");
      expect(error.cause).toBe(inner);
    },
  );

  test("keeps how long an UNAVAILABLE one asks to wait, or says a second", () => {
    expect(retryDelayMs(toOutward(rpcError(Code.Unavailable, "", { retryDelayMs: 250 }), undefined))).toBe(250);
    expect(retryDelayMs(toOutward(rpcError(Code.Unavailable, ""), undefined))).toBe(1_000);
  });

  test("drops details that are meant for developers, and headers of the inner call", () => {
    const inner = rpcError(Code.NotFound, "no such order");
    inner.details.push({ desc: DebugInfoSchema, value: { stackEntries: [secret] } });
    inner.details.push({ desc: DurationSchema, value: create(DurationSchema) });
    inner.metadata.set("x-inner", secret);
    const error = toOutward(inner, undefined);
    expect(error.details).toEqual([]);
    expect([...error.metadata]).toEqual([]);
  });
});

describe("outward handlers", () => {
  test("turn what a unary handler throws", async () => {
    await expect(outward(() => Promise.reject(new Error(secret)))({})).rejects.toMatchObject({ code: Code.Internal });
  });

  test("end the inner stream when the caller leaves, and when the reader stops", async () => {
    const ended: string[] = [];
    const handle = outwardStream(async function* (name: string, signal: AbortSignal) {
      signal.addEventListener("abort", () => ended.push(name));
      yield 1;
      yield 2;
    });
    const caller = new AbortController();
    const left = handle("caller left", { signal: caller.signal })[Symbol.asyncIterator]();
    await left.next();
    caller.abort();
    for await (const _ of handle("reader stopped", { signal: new AbortController().signal })) break;
    expect(ended).toEqual(["caller left", "reader stopped"]);
  });

  test("turn what a stream ends with", async () => {
    const handle = outwardStream(async function* () {
      yield 1;
      throw new ConnectError(secret, Code.Unavailable);
    });
    const read = async () => {
      for await (const _ of handle({}, { signal: new AbortController().signal }));
    };
    await expect(read()).rejects.toThrow(/the shop cannot do this/);
  });
});
