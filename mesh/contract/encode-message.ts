import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import {
  begin,
  type EncodeScratch,
  end,
  lengthDelimited,
  type PutValue,
  putVarint,
  scalarWriter,
  scratchBytes,
  seldom,
  wireTypeOf,
} from "./encode-scratch.ts";

/**
 * Encodes messages of one type. The bytes are good until the next message is encoded into the same scratch: whoever keeps them copies them.
 *
 * @throws Error naming the field whose value no wire could carry
 */
export type EncodeMessage = (message: Message) => Uint8Array;

type Fields = Record<string, unknown>;
type PutField = (out: EncodeScratch, message: Fields) => void;

/**
 * Creates what encodes messages of one type, byte for byte as toBinary() of protobuf-es does. That makes a buffer of a kilobyte and more for
 * each message, which costs more than a small message itself; here all are written into one. Whatever is seldom (a value of a wrong type, unknown
 * fields, a message that does not fit, a type with groups, wrappers or defaults of its own) is left to toBinary().
 */
export function createMessageEncoder(desc: DescMessage, scratch: EncodeScratch): EncodeMessage {
  const encoders = new Map<DescMessage, PutField[]>();
  if (!compile(desc, encoders)) return (message) => toBinary(desc, message);
  const fields = encoders.get(desc) ?? [];
  const { typeName } = desc;
  return (message) => {
    scratch.at = 0;
    try {
      if (message.$typeName !== typeName || message.$unknown !== undefined) return toBinary(desc, message);
      for (const put of fields) put(scratch, message as unknown as Fields);
    } catch (error) {
      if (error !== seldom) throw error;
      return toBinary(desc, message);
    }
    return scratch.at <= scratchBytes ? scratch.bytes.subarray(0, scratch.at) : toBinary(desc, message);
  };
}

/** Compiles a type and all that it is made of; false if one of them is not for us. */
function compile(desc: DescMessage, encoders: Map<DescMessage, PutField[]>): boolean {
  if (encoders.has(desc)) return true;
  if (Object.getPrototypeOf(create(desc)) !== Object.prototype) return false;
  const puts: PutField[] = [];
  encoders.set(desc, puts);
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    if (!isOrdinary(field) || (field.message !== undefined && !compile(field.message, encoders))) return false;
    puts.push(putField(field, encoders));
  }
  return true;
}

function isOrdinary(field: DescField): boolean {
  if (field.fieldKind === "map" || ("delimitedEncoding" in field && field.delimitedEncoding)) return false;
  const { message } = field;
  return message === undefined || (message.typeName !== "google.protobuf.Struct" && !isWrapperDesc(message));
}

function putField(field: DescField, encoders: Map<DescMessage, PutField[]>): PutField {
  const name = field.localName;
  const put = putValue(field, encoders);
  if (field.fieldKind === "list") return field.packed ? putPacked(field) : putItems(name, put);
  if (field.oneof !== undefined) return putCase(field.oneof, name, put);
  const isSet = setCheck(field);
  return (out, message) => {
    const value = message[name];
    if (isSet(value)) put(out, value);
  };
}

function putItems(name: string, put: PutValue): PutField {
  return (out, message) => {
    for (const item of message[name] as unknown[]) put(out, item);
  };
}

function putCase(oneof: DescOneof, name: string, put: PutValue): PutField {
  const group = oneof.localName;
  return (out, message) => {
    const chosen = message[group] as { case: string | undefined; value?: unknown };
    if (chosen.case === name) put(out, chosen.value);
  };
}

function putPacked(field: DescField & { fieldKind: "list" }): PutField {
  const name = field.localName;
  const tag = tagOf(field, lengthDelimited);
  const put = scalarWriter(field.scalar);
  return (out, message) => {
    const items = message[name] as unknown[];
    if (items.length === 0) return;
    putVarint(out, tag);
    const start = begin(out);
    for (const item of items) put(out, item);
    end(out, start);
  };
}

/** Whether a field without a case has a value that is to be written, as protobuf-es has it. */
function setCheck(field: DescField): (value: unknown) => boolean {
  if (field.presence !== implicit) return (value) => value !== undefined;
  if (field.fieldKind === "enum") {
    const zero = field.enum.values[0]?.number;
    return (value) => value !== zero;
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return (value) => value !== "";
    case ScalarType.BOOL:
      return (value) => value !== false;
    case ScalarType.BYTES:
      return (value) => !(value instanceof Uint8Array) || value.byteLength > 0;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return (value) => !Object.is(value, 0);
    default:
      return (value) => value !== 0 && value !== 0n && value !== "0";
  }
}

/** google.protobuf.FeatureSet.FieldPresence.IMPLICIT: proto3's fields without "optional". */
const implicit = 2;

function tagOf(field: DescField, wireType: number): number {
  return ((field.number << 3) | wireType) >>> 0;
}

/** Writes one value with its tag. */
function putValue(field: DescField, encoders: Map<DescMessage, PutField[]>): PutValue {
  const { message } = field;
  if (message !== undefined)
    return putMessage(tagOf(field, lengthDelimited), message.typeName, encoders.get(message) ?? []);
  const put = scalarWriter(field.scalar);
  const tag = tagOf(field, wireTypeOf(field.scalar));
  return (out, value) => {
    putVarint(out, tag);
    put(out, value);
  };
}

function putMessage(tag: number, typeName: string, fields: readonly PutField[]): PutValue {
  return (out, value) => {
    const message = value as (Fields & Partial<Message>) | null;
    if (typeof message !== "object" || message?.$typeName !== typeName || message.$unknown !== undefined) throw seldom;
    putVarint(out, tag);
    const start = begin(out);
    for (const put of fields) put(out, message);
    end(out, start);
  };
}
