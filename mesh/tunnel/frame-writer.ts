const slabBytes = 64 * 1024;
/** For frames of large messages, of which the small one would hold only one or two. */
const largeSlabBytes = 256 * 1024;
/** A message above this is large. */
const largeBytes = 4 * 1024;

/** Below this a loop is faster than a call of the runtime's copy. */
const loopBytesMax = 48;

/**
 * Appends protobuf to a piece of memory from which one frame after the other is taken: a stream may still hold the last one when
 * the next is written, so none of it is used twice.
 */
export class FrameWriter {
  #slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  #start = 0;
  #position = 0;

  /** Bytes of the frame so far. */
  get length(): number {
    return this.#position - this.#start;
  }

  /** The frame so far; the next one starts. */
  take(): Buffer {
    const frame = this.#slab.subarray(this.#start, this.#position);
    this.#start = this.#position;
    return frame;
  }

  /** Makes room for so many bytes: before anything is appended. */
  reserve(bytes: number): void {
    if (this.#position + bytes > this.#slab.length) this.#renew(bytes);
  }

  #renew(bytes: number): void {
    const { length } = this;
    const size = bytes > largeBytes ? largeSlabBytes : slabBytes;
    const slab = Buffer.allocUnsafeSlow(Math.max(size, 2 * (length + bytes)));
    this.#slab.copy(slab, 0, this.#start, this.#position);
    this.#slab = slab;
    this.#start = 0;
    this.#position = length;
  }

  byte(value: number): void {
    this.#slab[this.#position++] = value;
  }

  /** @param value 0 to 2^32 - 1 */
  varint(value: number): void {
    const slab = this.#slab;
    let position = this.#position;
    let rest = value;
    while (rest > 127) {
      slab[position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    slab[position++] = rest;
    this.#position = position;
  }

  /** A field of type uint32; nothing if it is 0. @param tag of one byte */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#slab[this.#position++] = tag;
    this.varint(value);
  }

  /** Four bytes, the highest first. */
  word(value: number): void {
    const slab = this.#slab;
    const position = this.#position;
    slab[position] = value >>> 24;
    slab[position + 1] = value >>> 16;
    slab[position + 2] = value >>> 8;
    slab[position + 3] = value;
    this.#position = position + 4;
  }

  /** A field of type bytes; nothing if it is empty. */
  bytes(tag: number, value: Uint8Array): void {
    const { length } = value;
    if (length === 0) return;
    this.#slab[this.#position++] = tag;
    this.varint(length);
    if (length > loopBytesMax) this.#slab.set(value, this.#position);
    else {
      const slab = this.#slab;
      const position = this.#position;
      for (let index = 0; index < length; index++) slab[position + index] = value[index] as number;
    }
    this.#position += length;
  }

  /** A field of type string, of ASCII only; nothing if it is empty. */
  ascii(tag: number, value: string): void {
    const { length } = value;
    if (length === 0) return;
    this.#slab[this.#position++] = tag;
    this.varint(length);
    if (length > loopBytesMax) this.#slab.write(value, this.#position, "latin1");
    else {
      const slab = this.#slab;
      const position = this.#position;
      for (let index = 0; index < length; index++) slab[position + index] = value.charCodeAt(index);
    }
    this.#position += length;
  }
}

/** Bytes of a number as a varint. @param value 0 to 2^32 - 1 */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Bytes of a field of type uint32 with a tag of one byte. */
export function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a field with a tag of one byte whose content has so many; of one that may be left out if it is empty. */
export function fieldSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}
