export interface LruLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** A map that holds so many entries and bytes at most, and drops those that were longest not asked for. */
export interface Lru<Value> {
  get(key: string): Value | undefined;
  /** Replaces what the key had. An entry that is larger than bytesMax by itself is not held. */
  set(key: string, value: Value, bytes: number): void;
  delete(key: string): void;
  clear(): void;
  size(): number;
  bytes(): number;
}

export function createLru<Value>({ entriesMax, bytesMax }: LruLimits): Lru<Value> {
  // A Map keeps the order of insertion: the first is the one longest untouched.
  const entries = new Map<string, { readonly value: Value; readonly bytes: number }>();
  let bytesHeld = 0;

  const remove = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    bytesHeld -= entry.bytes;
  };
  const shrink = (): void => {
    for (const oldest of entries.keys()) {
      if (entries.size <= entriesMax && bytesHeld <= bytesMax) return;
      remove(oldest);
    }
  };

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, bytes) {
      remove(key);
      if (bytes > bytesMax) return;
      entries.set(key, { value, bytes });
      bytesHeld += bytes;
      shrink();
    },
    delete: remove,
    clear() {
      entries.clear();
      bytesHeld = 0;
    },
    size: () => entries.size,
    bytes: () => bytesHeld,
  };
}
