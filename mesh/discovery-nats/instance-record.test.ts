import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeInstance, encodeInstance, instanceKey, serviceOfKey } from "./instance-record.ts";

test.each([{ address: "127.0.0.1:7120" }, { address: "[fd00::1]:7120", version: "2.1.0", zone: "eu-1a", weight: 0.5 }])(
  "decodeInstance() reads what encodeInstance() has written: %j",
  (instance) => {
    expect(decodeInstance(encodeInstance(instance))).toEqual(instance);
  },
);

test("what a later release has added is passed over", () => {
  const bytes = Buffer.from('{"address":"a:1","zone":"b","color":"red"}');
  expect(decodeInstance(bytes)).toEqual({ address: "a:1", zone: "b" });
});

test.each([
  "",
  "null",
  "7",
  "{}",
  '{"address":7}',
  '{"address":"nowhere"}',
  '{"address":"a:99999"}',
  '{"address":"a:1","version":""}',
  '{"address":"a:1","zone":7}',
  '{"address":"a:1","weight":0}',
  '{"address":"a:1","weight":"2"}',
  `{"address":"a:1","more":"${"x".repeat(5_000)}"}`,
])("decodeInstance() refuses %.40s", (text) => {
  expect(() => decodeInstance(Buffer.from(text))).toThrow();
});

test("decodeInstance() returns or throws an Error, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeInstance(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});

test("keys are of characters that a bucket takes, one for each address, and tell the service", () => {
  const addresses = ["127.0.0.1:7120", "[::1]:7120", "[1::]:7120", "host:1", "host.:1", "a-b:1", "a.b:1"];
  const keys = addresses.map((address) => instanceKey("shop", "catalog", address));
  expect(new Set(keys).size).toBe(addresses.length);
  for (const key of keys) {
    expect(key).toMatch(/^shop\.catalog\.[-/_=.a-zA-Z0-9]+$/);
    expect(serviceOfKey(key)).toBe("catalog");
  }
});
