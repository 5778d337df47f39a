import { ScalarType } from "@bufbuild/protobuf";

/** Bytes that are being decoded, and how far. */
export class DecodeInput {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  /** Where the message ends that is read now. */
  end = 0;
  depth = 0;
  /** The upper half of the last varint of 64 bits. */
  upper = 0;
}

/** Reads a value. @throws what is exported as `unusual` if it is none that is read here */
export type ReadValue = (input: DecodeInput) => unknown;

/** Thrown where fromBinary() knows better, which tells what is wrong if anything is. Nobody sees it. */
export const unusual: Error = new Error("to be decoded by protobuf-es");

/** What reads the values of a scalar, an enum's without one; undefined for those that contracts seldom have. */
export function scalarReader(scalar: ScalarType | undefined): ReadValue | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return readString;
    case ScalarType.BYTES:
      return readBytes;
    case ScalarType.BOOL:
      return readBool;
    case ScalarType.UINT32:
      return readUint32;
    case ScalarType.INT32:
    case undefined:
      return readInt32;
    case ScalarType.INT64:
      return readInt64;
    case ScalarType.UINT64:
      return readUint64;
    case ScalarType.DOUBLE:
      return readDouble;
    default:
      return undefined;
  }
}

/** A varint of at most 32 bits. */
export function readUint32(input: DecodeInput): number {
  const { bytes } = input;
  const first = bytes[input.at++] as number;
  if (first < 0x80) return first;
  let value = first & 0x7f;
  for (let shift = 7; shift < 28; shift += 7) {
    // Past the end there is nothing: NaN is no more than 0 below, but the position tells.
    const byte = bytes[input.at++] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  const last = bytes[input.at++] as number;
  if (!(last <= 0x0f)) throw unusual;
  return (value | (last << 28)) >>> 0;
}

/** The length of what follows, which must be there. */
export function readLength(input: DecodeInput): number {
  const length = readUint32(input);
  if (input.at + length > input.end) throw unusual;
  return length;
}

/** A negative number has all its 64 bits. */
function readInt32(input: DecodeInput): number {
  const low = readWords(input);
  // What does not fit into 32 bits is cut, as everybody does it.
  return low | 0;
}

/** A varint of at most 64 bits: its lower half; the other one is kept. */
function readWords(input: DecodeInput): number {
  const { bytes } = input;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[input.at++] as number;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else if (shift < 63) high |= bits << (shift - 32);
    else if (!(byte <= 1)) throw unusual;
    else high |= byte << 31;
    if (byte < 0x80) {
      input.upper = high;
      return low;
    }
  }
  throw unusual;
}

function readInt64(input: DecodeInput): bigint {
  const low = readWords(input);
  if (input.upper === 0) return BigInt(low >>> 0);
  return BigInt.asIntN(64, (BigInt(input.upper >>> 0) << 32n) | BigInt(low >>> 0));
}

function readUint64(input: DecodeInput): bigint {
  const low = readWords(input);
  return input.upper === 0 ? BigInt(low >>> 0) : (BigInt(input.upper >>> 0) << 32n) | BigInt(low >>> 0);
}

function readBool(input: DecodeInput): boolean {
  const byte = input.bytes[input.at++] as number;
  if (!(byte <= 1)) throw unusual;
  return byte === 1;
}

/** The longest text that is read character by character: a longer one Node reads faster as a whole. */
const charactersMax = 32;

function readString(input: DecodeInput): string {
  const length = readLength(input);
  const { bytes, at } = input;
  input.at += length;
  if (length <= charactersMax) {
    const codes: number[] = new Array(length);
    let index = 0;
    for (; index < length; index++) {
      const code = bytes[at + index] as number;
      if (code > 0x7f) break;
      codes[index] = code;
    }
    if (index === length) return String.fromCharCode.apply(undefined, codes);
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8", at, at + length);
  // Perhaps it is no UTF-8, which is refused.
  if (text.includes("\ufffd")) throw unusual;
  return text;
}

function readBytes(input: DecodeInput): Uint8Array {
  const length = readLength(input);
  const { bytes, at } = input;
  input.at += length;
  return bytes.subarray(at, at + length);
}

function readDouble(input: DecodeInput): number {
  const { bytes, at } = input;
  if (at + 8 > input.end) throw unusual;
  input.at += 8;
  return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true);
}
