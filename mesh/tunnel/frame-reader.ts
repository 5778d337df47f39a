import { FrameError } from "./frame-error.ts";

/** Wire types of protobuf that proto3 uses. */
const varintType = 0;
const fixed64Type = 1;
const lengthType = 2;
const fixed32Type = 5;

/** Reads protobuf from a frame. Each method moves on, and throws FrameError where the frame is broken; none reads beyond its end. */
export class FrameReader {
  #frame: Buffer = Buffer.alloc(0);
  /** Where the frame lies. */
  #memory: ArrayBufferLike = this.#frame.buffer;
  #offset = 0;
  #position = 0;

  open(frame: Buffer): void {
    this.#frame = frame;
    this.#memory = frame.buffer;
    this.#offset = frame.byteOffset;
    this.#position = 0;
  }

  get position(): number {
    return this.#position;
  }

  /** A field's number * 8 + its type. */
  tag(): number {
    const first = this.#frame[this.#position];
    if (first === undefined) throw truncated();
    this.#position++;
    return first < 128 ? first : this.#longTag(first);
  }

  /** Unlike other numbers, a tag has no upper bits to be read over: cut to 32, it could pass for another one. */
  #longTag(first: number): number {
    const start = this.#position;
    const tag = this.#longVarint(first);
    const length = this.#position - start;
    if (length > 4 || (length === 4 && (this.#frame[this.#position - 1] as number) > 15)) {
      throw new FrameError("a field has a number above 2^29");
    }
    return tag;
  }

  /** A varint's lower 32 bits, as an unsigned number. */
  varint(): number {
    const first = this.#frame[this.#position];
    if (first === undefined) throw truncated();
    this.#position++;
    return first < 128 ? first : this.#longVarint(first);
  }

  #longVarint(first: number): number {
    let value = first & 127;
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.#frame[this.#position++];
      if (byte === undefined) throw truncated();
      // What is above 32 bits is read over, as protobuf has it.
      if (shift < 32) value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw new FrameError("a number has more than 10 bytes");
  }

  /** A varint that is true if it has any bit. */
  boolean(): boolean {
    let any = 0;
    for (let count = 0; count < 10; count++) {
      const byte = this.#frame[this.#position++];
      if (byte === undefined) throw truncated();
      any |= byte & 127;
      if (byte < 128) return any !== 0;
    }
    throw new FrameError("a number has more than 10 bytes");
  }

  /**
   * Reads the length of what follows: its end.
   *
   * @param within the end of what it is part of
   */
  end(within: number): number {
    const length = this.varint();
    const end = this.#position + length;
    if (end > within) throw new FrameError(`a field of ${length} bytes is longer than what it is part of`);
    return end;
  }

  /** The bytes up to there. They share the frame's memory. */
  bytesTo(end: number): Uint8Array {
    // Half as dear as Buffer's subarray(), and each call has one.
    const bytes = new Uint8Array(this.#memory, this.#offset + this.#position, end - this.#position);
    this.#position = end;
    return bytes;
  }

  /** The ASCII up to there. @param what it is, for the error */
  asciiTo(end: number, what: string): string {
    const frame = this.#frame;
    const start = this.#position;
    for (let index = start; index < end; index++) {
      const byte = frame[index] as number;
      if (byte < 0x20 || byte > 0x7e) throw new FrameError(`${what} has other characters than visible ASCII`);
    }
    this.#position = end;
    return frame.toString("latin1", start, end);
  }

  /** Moves on without looking. */
  skipTo(end: number): void {
    this.#position = end;
  }

  /** Four bytes, the highest first, as a signed number. */
  word(): number {
    const frame = this.#frame;
    const position = this.#position;
    this.#position = position + 4;
    return (
      ((frame[position] as number) << 24) |
      ((frame[position + 1] as number) << 16) |
      ((frame[position + 2] as number) << 8) |
      (frame[position + 3] as number)
    );
  }

  byte(): number {
    return this.#frame[this.#position++] as number;
  }

  /**
   * Skips a field that this release does not know, or refuses one that it knows by another type.
   *
   * @param known the highest number of a field that it knows there; they have no gaps
   */
  skip(tag: number, within: number, known: number): void {
    const number = tag >>> 3;
    if (number === 0) throw new FrameError("a field has the number 0");
    if (number <= known) throw new FrameError(`field ${number} has the wrong type`);
    switch (tag & 7) {
      case varintType:
        this.boolean();
        break;
      case fixed64Type:
        this.#position += 8;
        break;
      case lengthType:
        this.#position = this.end(within);
        break;
      case fixed32Type:
        this.#position += 4;
        break;
      default:
        throw new FrameError(`field ${number} has the unknown type ${tag & 7}`);
    }
  }

  /** Makes sure that what has been read ended where it was to. */
  closeAt(end: number): void {
    if (this.#position !== end) throw new FrameError("a field is longer than what it is part of");
  }
}

function truncated(): FrameError {
  return new FrameError("the frame ends in the middle of a number");
}
