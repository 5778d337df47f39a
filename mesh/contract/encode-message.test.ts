import { create, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, FieldOptionsSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServerReflectionResponseSchema } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { createMessageEncoder } from "./encode-message.ts";
import { EncodeScratch } from "./encode-scratch.ts";
import { anyMessage, anyTypes } from "./testing-messages.ts";

const scratch = new EncodeScratch();

describe.each(anyTypes)("%s", (_name, schema) => {
  test("is encoded as generated code does it, byte for byte", () => {
    const encode = createMessageEncoder(schema, scratch);
    fc.assert(
      fc.property(anyMessage(schema), (any) => {
        expect(Buffer.from(encode(any)).equals(toBinary(schema, any))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

test.each([20_000, 64_000, 70_000])(
  "a text of %i characters is encoded, whether it fits into the scratch or not",
  (length) => {
    for (const any of ["x", "é", "€"].map((character) =>
      create(EchoRequestSchema, { text: character.repeat(length) }),
    )) {
      const bytes = createMessageEncoder(EchoRequestSchema, scratch)(any);
      expect(Buffer.from(bytes).equals(toBinary(EchoRequestSchema, any))).toBe(true);
    }
  },
);

test("many small parts that do not fit together are encoded all the same", () => {
  const fileDescriptorProto = Array.from({ length: 700 }, () => new Uint8Array(100).fill(7));
  const any = create(ServerReflectionResponseSchema, {
    messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto } },
  });
  const bytes = createMessageEncoder(ServerReflectionResponseSchema, scratch)(any);
  expect(Buffer.from(bytes).equals(toBinary(ServerReflectionResponseSchema, any))).toBe(true);
});

test("fields that this version does not know are encoded, in parts of a message too", () => {
  const any = create(EchoRequestSchema, { text: "x", delay: create(DurationSchema, { seconds: 1n }) });
  const unknown = [{ no: 99, wireType: 0, data: new Uint8Array([1]) }];
  if (any.delay) any.delay.$unknown = unknown;
  const encode = createMessageEncoder(EchoRequestSchema, scratch);
  expect(Buffer.from(encode(any)).equals(toBinary(EchoRequestSchema, any))).toBe(true);
  any.$unknown = unknown;
  expect(Buffer.from(encode(any)).equals(toBinary(EchoRequestSchema, any))).toBe(true);
});

test.each<[string, DescMessage, Message]>([
  ["plain JSON", StructSchema, create(StructSchema, { fields: { a: { kind: { case: "numberValue", value: 1 } } } })],
  ["defaults of its own", FieldOptionsSchema, create(FieldOptionsSchema, { deprecated: true, targets: [1, 2] })],
])("a message with %s is left to protobuf-es", (_what, schema, any) => {
  expect(Buffer.from(createMessageEncoder(schema, scratch)(any)).equals(toBinary(schema, any))).toBe(true);
});

test.each([
  [{ nanos: 0.5 }, /nanos/],
  [{ seconds: {} }, /seconds/],
  [{ seconds: 2n ** 63n }, /seconds/],
])("a value that no wire could carry is refused as generated code refuses it: %o", (init, error) => {
  const any = create(DurationSchema, init as never);
  expect(() => createMessageEncoder(DurationSchema, scratch)(any)).toThrow(error);
});
