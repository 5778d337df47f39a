/** The longest that a timer can wait; Node makes 1 ms of anything above. */
const timerMaxMs = 2 ** 31 - 1;

/** Cancels one call. The AbortSignal is made when somebody asks for it: most calls end without. */
export class CancelSource {
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  #listeners: ((reason: Error) => void)[] = [];

  /** Why it was cancelled, or undefined. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls back once, at once if already cancelled. */
  onCancel(listener: (reason: Error) => void): void {
    if (this.#reason !== undefined) listener(this.#reason);
    else this.#listeners.push(listener);
  }

  /**
   * Cancels in so many milliseconds; returns how to call that off. Never, if no timer can wait that long (24 days).
   */
  cancelAfter(ms: number, reason: () => Error): () => void {
    if (ms > timerMaxMs) return () => undefined;
    const timer = setTimeout(() => this.cancel(reason()), Math.max(0, ms));
    return () => clearTimeout(timer);
  }

  /** Only the first call counts. */
  cancel(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(reason);
  }
}
