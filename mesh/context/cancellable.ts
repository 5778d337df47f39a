import type { CancelSource } from "./cancel-source.ts";

/** Settles with the work, or with the reason of its cancellation if that comes first. The work is not waited for then. */
export function cancelled<T>(cancel: CancelSource, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject);
    cancel.onCancel(reject);
  });
}

/** The same for each step of an async iterable. Holds one listener for the whole stream, not one a message. */
export function cancellable<T>(iterable: AsyncIterable<T>, cancel: CancelSource): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = iterable[Symbol.asyncIterator]();
      let rejectStep: ((reason: Error) => void) | undefined;
      // A generator that waits for something else would hold this up: it is told, not waited for.
      const leave = (): void => void iterator.return?.()?.catch(() => undefined);
      cancel.onCancel((reason) => {
        rejectStep?.(reason);
        leave();
      });
      return {
        next() {
          if (cancel.reason) return Promise.reject(cancel.reason);
          return new Promise((resolve, reject) => {
            rejectStep = reject;
            iterator.next().then(resolve, reject);
          });
        },
        async return() {
          leave();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
