import { ScalarType } from "@bufbuild/protobuf";

/** A scratch of this size takes every message that a tunnel carries. */
export const scratchBytes = 64 * 1024;

/** Room for encoding: one message at a time. */
export class EncodeScratch {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(scratchBytes);
  readonly view: DataView = new DataView(this.bytes.buffer);
  /** May run past the end, where nothing is written: seen when the message is done. */
  at = 0;
}

/** An encoded message as bytes of its own, for whoever keeps it: grpc-js, which sends it later. */
export function ownBytes(bytes: Uint8Array): Buffer {
  // What is larger than a scratch is in none.
  if (bytes.length > scratchBytes) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Buffer.from(bytes);
}

/** Writes a value. @throws what is exported as `seldom` if it is none that is written here */
export type PutValue = (out: EncodeScratch, value: unknown) => void;

/** Thrown where toBinary() knows better. Nobody sees it. */
export const seldom = new Error("to be encoded by protobuf-es");

const [varintType, fixed64Type, fixed32Type] = [0, 1, 5];
export const lengthDelimited = 2;

/** The wire type of a scalar; an enum's without one. */
export function wireTypeOf(scalar: ScalarType | undefined): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return lengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return fixed64Type;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return fixed32Type;
    default:
      return varintType;
  }
}

/** What writes a value; an enum's without a scalar. */
export function scalarWriter(scalar: ScalarType | undefined): PutValue {
  switch (scalar) {
    case ScalarType.STRING:
      return putString;
    case ScalarType.BYTES:
      return putBytes;
    case ScalarType.BOOL:
      return putBool;
    case ScalarType.UINT32:
      return putUint32;
    case ScalarType.INT32:
    case undefined:
      return putInt32;
    case ScalarType.INT64:
      return putInt64;
    case ScalarType.UINT64:
      return putUint64;
    case ScalarType.DOUBLE:
      return putDouble;
    default:
      return leave;
  }
}

/** Of the scalars that contracts seldom have. */
function leave(): never {
  throw seldom;
}

export function putVarint(out: EncodeScratch, value: number): void {
  const { bytes } = out;
  let rest = value;
  while (rest > 0x7f) {
    bytes[out.at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[out.at++] = rest;
}

/** Leaves room for a length: one byte, since most are short. */
export function begin(out: EncodeScratch): number {
  return out.at++;
}

/** Writes the length of what has been written since begin(). */
export function end(out: EncodeScratch, start: number): void {
  const { bytes } = out;
  const length = out.at - start - 1;
  if (length < 0x80) {
    bytes[start] = length;
    return;
  }
  const more = varintSize(length) - 1;
  bytes.copyWithin(start + 1 + more, start + 1, out.at);
  out.at = start;
  putVarint(out, length);
  out.at += length;
}

function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}

/** The longest text that is written character by character: of a longer one Node writes the whole faster. */
const charactersMax = 32;

function putString(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "string") throw seldom;
  const { bytes, at } = out;
  const { length } = value;
  if (length <= charactersMax) {
    let index = 0;
    for (; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) break;
      bytes[at + 1 + index] = code;
    }
    if (index === length) {
      bytes[at] = length;
      out.at = at + 1 + length;
      return;
    }
  }
  // What is cut off would not be seen.
  if (at + 5 + length * 3 > scratchBytes) throw seldom;
  const guess = varintSize(length);
  const written = bytes.write(value, at + guess, "utf8");
  const size = varintSize(written);
  if (size !== guess) bytes.copyWithin(at + size, at + guess, at + guess + written);
  putVarint(out, written);
  out.at += written;
}

function putBytes(out: EncodeScratch, value: unknown): void {
  if (!(value instanceof Uint8Array) || out.at + 5 + value.length > scratchBytes) throw seldom;
  putVarint(out, value.length);
  out.bytes.set(value, out.at);
  out.at += value.length;
}

function putBool(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "boolean") throw seldom;
  out.bytes[out.at++] = value ? 1 : 0;
}

function putUint32(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "number" || value >>> 0 !== value) throw seldom;
  putVarint(out, value);
}

function putInt32(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "number" || (value | 0) !== value) throw seldom;
  if (value >= 0) putVarint(out, value);
  else putWords(out, value, -1);
}

function putInt64(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) throw seldom;
  putBigint(out, value);
}

function putUint64(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) throw seldom;
  putBigint(out, value);
}

function putBigint(out: EncodeScratch, value: bigint): void {
  // Amounts and counts are small.
  if (value >= 0n && value <= 0x7fff_ffffn) putVarint(out, Number(value));
  else putWords(out, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

/** A varint of 64 bits, by its lower and its upper half. */
function putWords(out: EncodeScratch, lower: number, upper: number): void {
  const { bytes } = out;
  let [low, high] = [lower >>> 0, upper >>> 0];
  while (high > 0 || low > 0x7f) {
    bytes[out.at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  bytes[out.at++] = low;
}

function putDouble(out: EncodeScratch, value: unknown): void {
  if (typeof value !== "number" || out.at + 8 > scratchBytes) throw seldom;
  out.view.setFloat64(out.at, value, true);
  out.at += 8;
}
