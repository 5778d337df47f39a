import { type CallContext, runInContext } from "./call-context.ts";

/**
 * Runs every step of an async iterable inside a context. An async generator made inside AsyncLocalStorage.run but
 * iterated outside has no store, and a stream's handler is iterated by the server, outside.
 */
export function inContext<T>(context: CallContext, iterable: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = runInContext(context, () => iterable[Symbol.asyncIterator]());
      const { return: stop, throw: fail } = iterator;
      return {
        next: () => runInContext(context, () => iterator.next()),
        ...(stop && { return: (value?: unknown) => runInContext(context, () => stop.call(iterator, value)) }),
        ...(fail && { throw: (error: unknown) => runInContext(context, () => fail.call(iterator, error)) }),
      };
    },
  };
}
