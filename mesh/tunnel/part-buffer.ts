import { FrameError } from "./frame-error.ts";

/** Most bytes of unfinished answers on one tunnel. Answers of several parts are rare: a method that gives them is better called by itself. */
const waitingBytesMax = 64 * 1024 * 1024;

/** Puts answers together that come in parts, by the ids of their calls. */
export class PartBuffer {
  readonly #parts = new Map<number, Uint8Array[]>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax of one answer */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps a part. @throws FrameError if it is more than was agreed */
  add(id: number, part: Uint8Array): void {
    const parts = this.#parts.get(id) ?? [];
    this.#parts.set(id, parts);
    parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes > waitingBytesMax || sizeOf(parts) > this.#bytesMax) {
      throw new FrameError("the parts of an answer are larger than was agreed");
    }
  }

  /** The whole with its last part; undefined if there are no others. */
  finish(id: number, last: Uint8Array): Buffer | undefined {
    const parts = this.#parts.get(id);
    if (parts === undefined) return undefined;
    this.drop(id);
    return Buffer.concat([...parts, last]);
  }

  /** Forgets what came of an answer. */
  drop(id: number): void {
    const parts = this.#parts.get(id);
    if (parts === undefined) return;
    this.#parts.delete(id);
    this.#bytes -= sizeOf(parts);
  }

  get isEmpty(): boolean {
    return this.#parts.size === 0;
  }
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
