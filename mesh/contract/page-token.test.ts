import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const anyText = fc.string({ unit: "binary", maxLength: 50 });

test("a token brings back the values it was made of", () => {
  fc.assert(
    fc.property(anyText, fc.array(anyText, { maxLength: 4 }), (list, after) => {
      const token = encodePageToken(list, after);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(decodePageToken(list, token)).toEqual(after);
    }),
  );
});

test("another list's token is INVALID_ARGUMENT", () => {
  fc.assert(
    fc.property(anyText, anyText, fc.array(anyText), (list, other, after) => {
      fc.pre(list !== other);
      expect(() => decodePageToken(list, encodePageToken(other, after))).toThrow(
        expect.objectContaining({ code: Code.InvalidArgument }),
      );
    }),
  );
});

test("garbage is INVALID_ARGUMENT naming page_token", () => {
  const garbage = fc.oneof(
    anyText,
    fc.base64String(),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
    fc.constantFrom("W10", "bnVsbA", `${encodePageToken("products", ["a"])}=`, ` ${encodePageToken("products", [])}`),
  );
  fc.assert(
    fc.property(garbage, (token) => {
      expect(() => decodePageToken("products", token)).toThrow(
        expect.objectContaining({ code: Code.InvalidArgument, rawMessage: expect.stringContaining("page_token") }),
      );
    }),
  );
});
