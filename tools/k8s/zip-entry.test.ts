import { expect, test } from "vitest";
import { readZipEntry } from "./zip-entry.ts";

// Made by Python's zipfile.
const archive = Buffer.from(
  "UEsDBBQAAAAAAAAAIVyzJE6WCAAAAAgAAAAIAAAAYS9zdG9yZWRhcyBpdCBpc1BLAwQUAAAACAAAACFcnX2sxw8AAAAjAAAACgAAAGEvZGVmbGF0ZWRL" +
    "TE/MzFNIzEtRSMTFAgBQSwECFAMUAAAAAAAAACFcsyROlggAAAAIAAAACAAAAAAAAAAAAAAAgAEAAAAAYS9zdG9yZWRQSwECFAMUAAAACAAAACFcnX2s" +
    "xw8AAAAjAAAACgAAAAAAAAAAAAAAgAEuAAAAYS9kZWZsYXRlZFBLBQYAAAAAAgACAG4AAABlAAAAAAA=",
  "base64",
);

test.each([
  ["a/stored", "as it is"],
  ["a/deflated", "again and again and again and again"],
])("%s is read", (name, content) => {
  expect(readZipEntry(archive, name).toString()).toBe(content);
});

test("what is not there, or no archive, is said", () => {
  expect(() => readZipEntry(archive, "a/other")).toThrow("the ZIP archive holds no a/other");
  expect(() => readZipEntry(Buffer.from("PK, but no archive"), "a")).toThrow("not a ZIP archive");
});
