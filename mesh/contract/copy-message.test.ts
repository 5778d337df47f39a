import { clone, create, equals, type Message, type MessageShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { FieldOptionsSchema, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { ServerReflectionResponseSchema } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { createMessageCopier } from "./copy-message.ts";

const messages: [string, GenMessage<Message>, Message][] = [
  entry("scalars and a message", EchoRequestSchema, create(EchoRequestSchema, { text: "x", delay: { seconds: 1n } })),
  entry("nothing set", EchoRequestSchema, create(EchoRequestSchema)),
  entry("a map", ErrorInfoSchema, create(ErrorInfoSchema, { reason: "R", metadata: { a: "1", constructor: "2" } })),
  entry(
    "a oneof with lists of bytes",
    ServerReflectionResponseSchema,
    create(ServerReflectionResponseSchema, {
      originalRequest: { messageRequest: { case: "fileByFilename", value: "a.proto" } },
      messageResponse: {
        case: "fileDescriptorResponse",
        value: { fileDescriptorProto: [new Uint8Array([1, 2]), new Uint8Array()] },
      },
    }),
  ),
  entry("a message that contains itself", StructSchema, create(StructSchema, { fields: { a: nested(3) } })),
  entry("defaults of its own", FieldOptionsSchema, create(FieldOptionsSchema, { deprecated: true, targets: [1, 2] })),
];

function entry<T extends Message>(name: string, schema: GenMessage<T>, message: T): (typeof messages)[number] {
  return [name, schema as GenMessage<Message>, message];
}

function nested(depth: number): MessageShape<typeof ValueSchema> {
  const values = depth === 0 ? [] : [nested(depth - 1), nested(depth - 1)];
  return create(ValueSchema, { kind: { case: "listValue", value: { values } } });
}

/** Everything in it that could be changed. */
function parts(value: unknown): object[] {
  return typeof value === "object" && value !== null ? [value, ...Object.values(value).flatMap(parts)] : [];
}

describe.each(messages)("a copy of a message with %s", (_name, schema, message) => {
  const copy = createMessageCopier(schema)(message);

  test("is equal to it and to what clone() makes", () => {
    expect(equals(schema, copy, message)).toBe(true);
    expect(copy).toEqual(clone(schema, message));
  });

  test("shares nothing with it", () => {
    const own = new Set(parts(message));
    expect(parts(copy).filter((part) => own.has(part))).toEqual([]);
  });
});

test("what a message can be created from is copied, too, to its last part", () => {
  const metadata = { a: "1" };
  const copy = createMessageCopier(ErrorInfoSchema)({ reason: "R", metadata } as unknown as Message);
  expect(equals(ErrorInfoSchema, copy as never, create(ErrorInfoSchema, { reason: "R", metadata: { a: "1" } }))).toBe(
    true,
  );
  metadata.a = "2";
  expect(copy).toMatchObject({ metadata: { a: "1" } });
});

test("fields that this version does not know are kept", () => {
  const message = create(EchoRequestSchema, { text: "x" });
  message.$unknown = [{ no: 99, wireType: 0, data: new Uint8Array([1]) }];
  const copy = createMessageCopier(EchoRequestSchema)(message);
  expect(copy.$unknown).toEqual(message.$unknown);
  expect(copy.$unknown).not.toBe(message.$unknown);
});

test.each([
  ["a number as text", EchoRequestSchema, { text: 5 }],
  ["a half", EchoRequestSchema, { delay: { $typeName: "google.protobuf.Duration", seconds: 1n, nanos: 0.5 } }],
  [
    "an object as number",
    EchoRequestSchema,
    { delay: { $typeName: "google.protobuf.Duration", seconds: {}, nanos: 0 } },
  ],
  ["a number in a map of texts", ErrorInfoSchema, { metadata: { a: 1 } }],
])("%s, which no wire could carry, is refused", (_name, schema, init) => {
  expect(() => createMessageCopier(schema)(init as unknown as Message)).toThrow(/cannot be/);
});
