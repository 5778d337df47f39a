import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

export interface BatchReaderOptions<Value> {
  /** Reads several at once; what does not exist is left out. */
  readonly read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;
  readonly keysMax?: number;
  /** How long the first of a batch waits for others. */
  readonly delayMs?: number;
  /** Keys that wait and are being read. */
  readonly waitingMax?: number;
}

/**
 * Reads one thing at a time by reading many at once: what is asked for within a few milliseconds is one call.
 *
 * @throws (the returned function) what read throws; ConnectError RESOURCE_EXHAUSTED if too many wait
 */
export function createBatchReader<Value>(
  options: BatchReaderOptions<Value>,
): (key: string) => Promise<Value | undefined> {
  const { read, keysMax = 100, delayMs = 5, waitingMax = 2_000 } = options;
  let gathering: { readonly keys: Set<string>; readonly answer: Promise<ReadonlyMap<string, Value>> } | undefined;
  let waiting = 0;

  const gather = () => {
    const keys = new Set<string>();
    const { promise: answer, resolve } = Promise.withResolvers<ReadonlyMap<string, Value>>();
    const batch = { keys, answer };
    setTimeout(() => {
      if (gathering === batch) gathering = undefined;
      resolve(
        read([...keys]).finally(() => {
          waiting -= keys.size;
        }),
      );
    }, delayMs);
    return batch;
  };

  return async (key) => {
    const isNew = gathering?.keys.has(key) !== true;
    if (isNew && waiting >= waitingMax) {
      throw rpcError(Code.ResourceExhausted, "too much is being read at the moment");
    }
    gathering ??= gather();
    const { keys, answer } = gathering;
    if (isNew) waiting += 1;
    keys.add(key);
    if (keys.size >= keysMax) gathering = undefined;
    return (await answer).get(key);
  };
}
