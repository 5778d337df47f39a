import { create, type DescField, type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { DecodeInput, type ReadValue, readLength, scalarReader, unusual } from "./decode-input.ts";
import { lengthDelimited, wireTypeOf } from "./encode-scratch.ts";

/** Decodes messages of one type. @throws Error if the bytes are none */
export type DecodeMessage = (bytes: Uint8Array) => Message;

type Fields = Record<string, unknown>;
type ReadField = (input: DecodeInput, message: Fields) => void;

/** How deep messages may lie in each other; protobuf-es's limit. */
const depthMax = 100;

/** A compiled type. */
interface TypeReader {
  /** By tag: those of one byte. */
  readonly readers: (ReadField | undefined)[];
  /** What a message is before anything of it is read. */
  make(): Fields;
}

/**
 * Creates what decodes messages of one type, into what fromBinary() of protobuf-es makes of the same bytes. That makes four objects for each message
 * and one for each tag beside the message itself. Whatever is unusual (fields that are not known, or come twice, or in another form; anything that is
 * wrong; types with maps, groups, wrappers or defaults of their own) is left to fromBinary().
 */
export function createMessageDecoder(desc: DescMessage): DecodeMessage {
  const types = new Map<DescMessage, TypeReader>();
  if (!compile(desc, types)) return (bytes) => fromBinary(desc, bytes);
  const type = types.get(desc) as TypeReader;
  const input = new DecodeInput();
  return (bytes) => {
    input.bytes = bytes;
    input.at = 0;
    input.end = bytes.length;
    input.depth = 0;
    try {
      return readMessage(type, input) as unknown as Message;
    } catch (error) {
      if (error !== unusual) throw error;
      return fromBinary(desc, bytes);
    }
  };
}

/** Reads a message up to input.end. */
function readMessage({ readers, make }: TypeReader, input: DecodeInput): Fields {
  if (++input.depth > depthMax) throw unusual;
  const { bytes, end } = input;
  const message = make();
  while (input.at < end) {
    // Tags of two bytes are of fields above 15: seldom, and beyond what is compiled.
    const reader = readers[bytes[input.at++] as number];
    if (reader === undefined) throw unusual;
    reader(input, message);
  }
  if (input.at !== end) throw unusual;
  input.depth -= 1;
  return message;
}

/** Compiles a type and all that it is made of; false if one of them is not for us. */
function compile(desc: DescMessage, types: Map<DescMessage, TypeReader>): boolean {
  if (types.has(desc)) return true;
  const zero = create(desc);
  if (Object.getPrototypeOf(zero) !== Object.prototype) return false;
  const readers: (ReadField | undefined)[] = new Array(0x80).fill(undefined);
  types.set(desc, { readers, make: maker(desc, zero as unknown as Fields) });
  return desc.fields.every((field) => {
    if (field.number > 15) return true;
    if (!isOrdinary(field) || (field.message !== undefined && !compile(field.message, types))) return false;
    return addReaders(field, readers, types);
  });
}

function isOrdinary(field: DescField): boolean {
  if (field.fieldKind === "map" || ("delimitedEncoding" in field && field.delimitedEncoding)) return false;
  if (field.enum !== undefined && !field.enum.open) return false;
  if ("longAsString" in field && field.longAsString) return false;
  const { message } = field;
  return message === undefined || (message.typeName !== "google.protobuf.Struct" && !isWrapperDesc(message));
}

function maker(desc: DescMessage, zero: Fields): () => Fields {
  const lists = desc.fields.filter(({ fieldKind }) => fieldKind === "list").map(({ localName }) => localName);
  const maps = desc.fields.filter(({ fieldKind }) => fieldKind === "map").map(({ localName }) => localName);
  const oneofs = desc.oneofs.map(({ localName }) => localName);
  // The engine copies an object of a known shape in one go.
  if (lists.length + maps.length + oneofs.length === 0) return () => ({ ...zero });
  return () => {
    const message = { ...zero };
    for (const name of lists) message[name] = [];
    for (const name of maps) message[name] = {};
    for (const name of oneofs) message[name] = { case: undefined };
    return message;
  };
}

function addReaders(
  field: DescField,
  readers: (ReadField | undefined)[],
  types: Map<DescMessage, TypeReader>,
): boolean {
  const { message, localName: name } = field;
  const read = message === undefined ? scalarReader(field.scalar) : messageReader(types.get(message) as TypeReader);
  if (read === undefined) return false;
  const wireType = message === undefined ? wireTypeOf(field.scalar) : lengthDelimited;
  const tag = (field.number << 3) | wireType;
  if (field.fieldKind === "list") {
    readers[tag] = (input, into) => void (into[name] as unknown[]).push(read(input));
    // Numbers come packed or one by one, whichever the contract says.
    if (wireType !== lengthDelimited) readers[(field.number << 3) | lengthDelimited] = packedReader(name, read);
  } else if (field.oneof !== undefined) {
    readers[tag] = caseReader(field.oneof.localName, name, message !== undefined, read);
  } else if (message !== undefined) {
    readers[tag] = (input, into) => {
      // One that comes in parts is put together.
      if (into[name] !== undefined) throw unusual;
      into[name] = read(input);
    };
  } else {
    readers[tag] = (input, into) => {
      into[name] = read(input);
    };
  }
  return true;
}

function caseReader(group: string, name: string, isMessage: boolean, read: ReadValue): ReadField {
  return (input, into) => {
    if (isMessage && (into[group] as { case: string | undefined }).case === name) throw unusual;
    into[group] = { case: name, value: read(input) };
  };
}

function packedReader(name: string, read: ReadValue): ReadField {
  return (input, into) => {
    const end = readLength(input) + input.at;
    const items = into[name] as unknown[];
    while (input.at < end) items.push(read(input));
    if (input.at !== end) throw unusual;
  };
}

function messageReader(type: TypeReader): ReadValue {
  return (input) => {
    const outer = input.end;
    const length = readLength(input);
    input.end = input.at + length;
    const message = readMessage(type, input);
    input.end = outer;
    return message;
  };
}
