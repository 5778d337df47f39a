import { create, type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, FieldOptionsSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { ServerReflectionResponseSchema } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { GetSagaResponseSchema } from "../gen/weft/admin/v1/sagas_pb.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { ClientFrameSchema, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { createMessageEncoder } from "./encode-message.ts";
import { EncodeScratch } from "./encode-scratch.ts";

const scratch = new EncodeScratch();
const text = fc.oneof(fc.string({ maxLength: 50 }), fc.string({ unit: "binary", minLength: 20, maxLength: 200 }));
const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 127, 128, -1, 2 ** 31 - 1, -(2 ** 31)));
const uint32 = fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 2 ** 32 - 1 }));

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 200 });
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true });
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return int32;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default:
      return fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -200n, max: 200n }));
  }
}

function value(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message) return message(field.message, depth - 1);
  return field.scalar === undefined ? fc.nat(5) : scalar(field.scalar);
}

function member(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(value(field, depth), { maxLength: depth > 0 ? 4 : 0 });
  if (field.fieldKind === "map") return fc.dictionary(fc.string(), value(field, depth), { maxKeys: 2 });
  return fc.option(value(field, depth), { nil: undefined });
}

/** Messages of any type, with everything set or not. */
function message(desc: DescMessage, depth = 3): fc.Arbitrary<Message> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const one of desc.members) {
    if (one.kind === "field") {
      if (depth > 0 || one.message === undefined) members[one.localName] = member(one, depth);
    } else {
      const cases = one.fields.filter((field) => depth > 0 || field.message === undefined);
      const set = cases.map((field) => value(field, depth).map((chosen) => ({ case: field.localName, value: chosen })));
      members[one.localName] = fc.oneof(fc.constant({ case: undefined }), ...set);
    }
  }
  return fc.record(members).map((init) => create(desc, init));
}

describe.each(
  [
    EchoRequestSchema,
    ClientFrameSchema,
    ServerFrameSchema,
    ServerReflectionResponseSchema,
    GetSagaResponseSchema,
    ErrorInfoSchema,
  ].map((schema) => [schema.typeName, schema] as [string, DescMessage]),
)("%s", (_name, schema) => {
  test("is encoded as generated code does it, byte for byte", () => {
    const encode = createMessageEncoder(schema, scratch);
    fc.assert(
      fc.property(message(schema), (any) => {
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
