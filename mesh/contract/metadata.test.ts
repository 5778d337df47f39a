import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHeaders, toMetadata } from "./metadata.ts";

const name = fc.stringMatching(/^x-[a-z0-9_.-]{1,12}$/).filter((text) => !text.endsWith("-bin"));
/** What both Headers and gRPC carry: printable ASCII with no space at either end. */
const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);

test("headers of text survive the way to metadata and back", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (entries) => {
      const headers = new Headers(entries);
      expect([...toHeaders(toMetadata(headers))]).toEqual([...headers]);
    }),
  );
});

test("binary values survive the way to headers and back, several of one name too", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 4 }), (values) => {
      const metadata = new Metadata();
      for (const bytes of values) metadata.add("x-some-bin", Buffer.from(bytes));
      const returned = toMetadata(toHeaders(metadata)).get("x-some-bin");
      expect(returned.map((bytes) => [...Buffer.from(bytes)])).toEqual(values.map((bytes) => [...bytes]));
    }),
  );
});

test("a value that gRPC cannot carry is refused, not changed", () => {
  expect(() => toMetadata(new Headers({ "x-name": "caf\u00e9" }))).toThrow("illegal characters");
});
