import { FrameWriter } from "./frame-writer.ts";
import { flushCallsMax, frameBytesAim } from "./limits.ts";
import type { TunnelStream } from "./tunnel-stream.ts";

/**
 * Sends what is written in one turn of the event loop in one frame; earlier if there is much.
 */
export class FrameSender {
  readonly writer = new FrameWriter();
  /** The stream has taken more than it can send; it tells when it has sent it. */
  isBlocked = false;
  readonly #stream: TunnelStream;
  readonly #onSent: ((frameBytes: number) => void) | undefined;
  #calls = 0;
  #isScheduled = false;
  #isStopped = false;

  /** @param onSent told of each frame, after it was handed to the stream */
  constructor(stream: TunnelStream, onSent?: (frameBytes: number) => void) {
    this.#stream = stream;
    this.#onSent = onSent;
  }

  /** A call or an answer has been written. */
  wrote(): void {
    this.#calls += 1;
    if (this.#calls >= flushCallsMax || this.writer.length >= frameBytesAim) this.flush();
    else this.schedule();
  }

  /** Something has been written that can wait for the end of the turn. */
  schedule(): void {
    if (this.writer.length >= frameBytesAim) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#onTurnEnd);
    }
  }

  readonly #onTurnEnd = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  flush(): void {
    const { length } = this.writer;
    this.#calls = 0;
    if (length === 0 || this.#isStopped) return;
    if (!this.#stream.write(this.writer.take())) this.isBlocked = true;
    this.#onSent?.(length);
  }

  /** The stream takes nothing more. */
  stop(): void {
    this.#isStopped = true;
  }
}
