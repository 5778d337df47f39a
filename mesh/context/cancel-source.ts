/** The longest that a timer can wait; Node makes 1 ms of anything above. */
const timerMaxMs = 2 ** 31 - 1;

/** What wants to know of a cancellation: a function, or an object that saves its call one. */
export type CancelListener = ((reason: Error) => void) | { cancelled(reason: Error): void };

/** Cancels one call. The AbortSignal is made when somebody asks for it: most calls end without. */
export class CancelSource {
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  #listeners: CancelListener[] | undefined;

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
  onCancel(listener: CancelListener): void {
    if (this.#reason !== undefined) tell(listener, this.#reason);
    else if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  /** Calls that listener back no more. What outlives many listeners, a handler its calls, must be left by each. */
  offCancel(listener: CancelListener): void {
    const listeners = this.#listeners;
    const index = listeners?.lastIndexOf(listener) ?? -1;
    if (listeners === undefined || index < 0) return;
    const last = listeners.pop();
    if (last !== undefined && index < listeners.length) listeners[index] = last;
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
    if (listeners === undefined) return;
    this.#listeners = undefined;
    for (const listener of listeners) tell(listener, reason);
  }
}

function tell(listener: CancelListener, reason: Error): void {
  if (typeof listener === "function") listener(reason);
  else listener.cancelled(reason);
}
