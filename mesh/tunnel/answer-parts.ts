import type { Entries } from "./entries.ts";
import type { FrameSender } from "./frame-sender.ts";
import { partBytesMax } from "./limits.ts";
import { writeAnswer, writePart } from "./server-frame.ts";

/** An answer that is too large for one frame. */
export interface LargeAnswer {
  readonly id: number;
  readonly message: Uint8Array;
  readonly header: Entries | undefined;
  readonly trailer: Entries | undefined;
}

/**
 * Sends large answers part by part, one of each in a turn of the event loop, so that small ones pass between them; none while the
 * stream has more than it can send.
 */
export class AnswerParts {
  /** Bytes that have not been written yet. */
  bytes = 0;
  readonly #sender: FrameSender;
  readonly #onSent: (id: number) => void;
  #answers: (LargeAnswer & { at: number })[] = [];
  #isScheduled = false;

  /** @param onSent told of each answer whose last part has been written */
  constructor(sender: FrameSender, onSent: (id: number) => void) {
    this.#sender = sender;
    this.#onSent = onSent;
  }

  add(answer: LargeAnswer): void {
    this.#answers.push({ ...answer, at: 0 });
    this.bytes += answer.message.length;
    this.resume();
  }

  /** Goes on after the stream was blocked. */
  resume(): void {
    if (this.#isScheduled || this.#answers.length === 0) return;
    this.#isScheduled = true;
    setImmediate(this.#sendRound);
  }

  /** Forgets all. */
  clear(): void {
    this.#answers = [];
    this.bytes = 0;
  }

  readonly #sendRound = (): void => {
    this.#isScheduled = false;
    for (const answer of this.#answers) {
      if (this.#sender.isBlocked) break;
      this.#sendPart(answer);
    }
    this.#answers = this.#answers.filter(({ at, message }) => at < message.length);
    if (!this.#sender.isBlocked) this.resume();
  };

  #sendPart(answer: LargeAnswer & { at: number }): void {
    const { id, message, at, header, trailer } = answer;
    const part = message.subarray(at, at + partBytesMax);
    answer.at += part.length;
    this.bytes -= part.length;
    const { writer } = this.#sender;
    if (answer.at < message.length) {
      writePart(writer, id, part);
      this.#sender.flush();
      return;
    }
    writeAnswer(writer, id, part, header, trailer);
    this.#sender.flush();
    this.#onSent(id);
  }
}
