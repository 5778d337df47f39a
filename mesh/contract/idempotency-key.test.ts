import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { parseIdempotencyKey, requestHash } from "./idempotency-key.ts";

describe("parseIdempotencyKey()", () => {
  test.each([
    ["a", "a"],
    ["8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"],
    ['"8e03978e"', "8e03978e"],
    ["x".repeat(100), "x".repeat(100)],
    ['a"b', 'a"b'],
  ])("%s is the key %s", (value, key) => {
    expect(parseIdempotencyKey(value)).toBe(key);
  });

  test("no header is no key", () => {
    expect(parseIdempotencyKey(null)).toBeUndefined();
  });

  test.each(["", '""', " ", "a b", "one, two", "x".repeat(101), "schlüssel", "a\tb", "\u007f"])(
    "%j is refused, and the header is named",
    (value) => {
      expect(() => parseIdempotencyKey(value)).toThrow(
        expect.objectContaining({
          code: Code.InvalidArgument,
          details: [
            { desc: expect.anything(), value: expect.objectContaining({ reason: "IDEMPOTENCY_KEY_INVALID" }) },
            {
              desc: expect.anything(),
              value: { fieldViolations: [expect.objectContaining({ field: "Idempotency-Key" })] },
            },
          ],
        }),
      );
    },
  );
});

describe("requestHash()", () => {
  const hash = (init: Parameters<typeof create<typeof EchoRequestSchema>>[1], leftOut?: string[]) =>
    requestHash(EchoRequestSchema, create(EchoRequestSchema, init), leftOut);

  test("is equal for equal requests only", () => {
    expect(hash({ text: "a" })).toBe(hash({ text: "a" }));
    expect(hash({ text: "a" })).not.toBe(hash({ text: "a", delay: { seconds: 1n } }));
  });

  test("does not see what is left out, nor fields that this version does not know", () => {
    expect(hash({ text: "a", delay: { seconds: 1n } }, ["delay"])).toBe(hash({ text: "a" }));
    const newer = create(EchoRequestSchema, { text: "a" });
    newer.$unknown = [{ no: 99, wireType: 0, data: new Uint8Array([1]) }];
    expect(toBinary(EchoRequestSchema, newer).length).toBeGreaterThan(3);
    expect(requestHash(EchoRequestSchema, newer)).toBe(hash({ text: "a" }));
  });

  test("leaves the request as it is", () => {
    const request = create(EchoRequestSchema, { text: "a" });
    requestHash(EchoRequestSchema, request, ["text"]);
    expect(request.text).toBe("a");
  });
});
