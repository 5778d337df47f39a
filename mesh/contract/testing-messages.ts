import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { ServerReflectionResponseSchema } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { GetSagaResponseSchema } from "../gen/weft/admin/v1/sagas_pb.ts";
import { EchoOrderRequestSchema } from "../gen/weft/bench/v1/bench_pb.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { ClientFrameSchema, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";

/** Types with fields of every kind, by name. */
export const anyTypes: [string, DescMessage][] = [
  EchoRequestSchema,
  EchoOrderRequestSchema,
  ClientFrameSchema,
  ServerFrameSchema,
  ServerReflectionResponseSchema,
  GetSagaResponseSchema,
  ErrorInfoSchema,
].map((schema) => [schema.typeName, schema]);

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
  if (field.message) return anyMessage(field.message, depth - 1);
  return field.scalar === undefined ? fc.nat(5) : scalar(field.scalar);
}

function member(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(value(field, depth), { maxLength: depth > 0 ? 4 : 0 });
  if (field.fieldKind === "map") return fc.dictionary(fc.string(), value(field, depth), { maxKeys: 2 });
  return fc.option(value(field, depth), { nil: undefined });
}

/** Messages of any type, with everything set or not. */
export function anyMessage(desc: DescMessage, depth = 3): fc.Arbitrary<Message> {
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
