import { isDeepStrictEqual } from "node:util";
import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  type Registry,
  ScalarType,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { unknownFields } from "../../../mesh/contract/unknown-fields.ts";

/** An event as it lies in a table, and what it means. */
export interface Sample {
  readonly base64: string;
  readonly json: JsonValue;
}

/** Messages inside messages are filled down to here; deeper ones are those that contain themselves. */
const depthMax = 5;
/** Beyond what a double can tell apart. */
const largeInteger = "9007199254740993";

/** Samples of an event as it is now: full (each further choice of a oneof in one more), and with nothing but its key. */
export function makeSamples(event: DescMessage, key: string | undefined): Record<string, Sample> {
  const samples: Record<string, Sample> = {
    full: encode(
      event,
      fullJson(event, (oneof) => oneof.fields[0]),
    ),
  };
  for (const { fields } of event.oneofs) {
    for (const field of fields.slice(1)) {
      const choose = (oneof: DescOneof) => (oneof === field.oneof ? field : oneof.fields[0]);
      samples[`full, ${field.name}`] = encode(event, fullJson(event, choose));
    }
  }
  const keyField = event.fields.find((field) => field.name === key);
  samples.minimal = encode(event, keyField === undefined ? {} : { [keyField.jsonName]: "k" });
  return samples;
}

/** What is wrong with a sample, read with the contracts as they are now; undefined if it means what it meant. */
export function sampleProblem(event: DescMessage, registry: Registry, { base64, json }: Sample): string | undefined {
  let decoded: MessageShape<DescMessage>;
  try {
    decoded = fromBinary(event, Buffer.from(base64, "base64"));
  } catch (error) {
    return `cannot be decoded: ${(error as Error).message}`;
  }
  const unknown = unknownFields(event, decoded);
  if (unknown.length > 0) return `has what nobody reads any more: ${unknown.join(", ")}`;
  const now = toJson(event, decoded, { registry });
  return isDeepStrictEqual(now, json) ? undefined : `means ${JSON.stringify(now)}, and meant ${JSON.stringify(json)}`;
}

function encode(event: DescMessage, given: JsonObject): Sample {
  const bytes = toBinary(event, fromJson(event, given));
  // What it means is what its bytes say, not what they were made from.
  return { base64: Buffer.from(bytes).toString("base64"), json: toJson(event, fromBinary(event, bytes)) };
}

function fullJson(schema: DescMessage, choose: (oneof: DescOneof) => DescField | undefined, depth = 1): JsonObject {
  const known = wellKnown[schema.typeName];
  if (known !== undefined) return known as unknown as JsonObject;
  if (depth > depthMax) return toJson(schema, create(schema)) as JsonObject;
  const fields = schema.fields.filter((field) => field.oneof === undefined || choose(field.oneof) === field);
  return Object.fromEntries(fields.map((field) => [field.jsonName, fieldJson(field, choose, depth)]));
}

const wellKnown: Readonly<Record<string, JsonValue>> = {
  "google.protobuf.Timestamp": "2026-11-22T09:18:57.123Z",
  "google.protobuf.Duration": "90.500s",
};

function fieldJson(field: DescField, choose: Parameters<typeof fullJson>[1], depth: number): JsonValue {
  const one = (variant: string): JsonValue => {
    if (field.message !== undefined) return fullJson(field.message, choose, depth + 1);
    if (field.enum !== undefined) return field.enum.values.at(-1)?.name ?? 0;
    return scalarValue(field.scalar ?? ScalarType.STRING, `${field.name}${variant}`, field.number);
  };
  if (field.fieldKind === "list") return [one(" 1"), one(" 2")];
  if (field.fieldKind === "map") return { [mapKey(field.mapKey)]: one("") };
  return one("");
}

function scalarValue(scalar: ScalarType, text: string, number: number): JsonValue {
  switch (scalar) {
    case ScalarType.STRING:
      return `${text} \u00e9\u4e16`;
    case ScalarType.BYTES:
      return "AP+A";
    case ScalarType.BOOL:
      return true;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return number + 0.5;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return largeInteger;
    default:
      return 1_000_000 + number;
  }
}

function mapKey(scalar: ScalarType): string {
  if (scalar === ScalarType.STRING) return "a key";
  return scalar === ScalarType.BOOL ? "true" : "7";
}
