import { type CallContext, runInContext } from "./call-context.ts";

/**
 * Runs every step of an async iterable inside a context, undefined for none. An async generator has the store of whoever
 * iterates it, not of whoever made it: a stream's handler is iterated by the server, which has none, and a caller's
 * messages in the same process by the handler, which has another.
 */
export function inContext<T>(context: CallContext | undefined, iterable: AsyncIterable<T>): AsyncIterable<T> {
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
