/** Removals remembered at most while Redis is away; with more, all entries go. */
export const removalsMax = 10_000;

/** What is to be removed from Redis. */
export interface Removals {
  /** Instead of the keys: everything. */
  readonly all: boolean;
  readonly keys: readonly string[];
}

/** Removals that Redis did not take, kept until it has taken them. */
export interface MissedRemovals {
  add(keys: readonly string[]): void;
  addAll(): void;
  /** How many are not known to be done: those that wait and those under way. */
  count(): number;
  /** Does them; what is added meanwhile, or is not done, waits for the next time. One at a time. Never throws. */
  makeUp(remove: (removals: Removals) => Promise<void>): Promise<void>;
}

export function createMissedRemovals(): MissedRemovals {
  let keys = new Set<string>();
  let all = false;
  let underWay: (Removals & { readonly done: Promise<void> }) | undefined;

  const add = (more: readonly string[]): void => {
    for (const key of more) keys.add(key);
    if (keys.size > removalsMax) addAll();
  };
  const addAll = (): void => {
    keys.clear();
    all = true;
  };
  const countOf = (removals: Removals) => (removals.all ? removalsMax : removals.keys.length);

  return {
    add,
    addAll,
    count: () => (all ? removalsMax : keys.size) + (underWay ? countOf(underWay) : 0),
    makeUp(remove) {
      if (underWay) return underWay.done;
      const removals = { all, keys: [...keys] };
      keys = new Set();
      all = false;
      const work = async () => {
        try {
          await remove(removals);
        } catch {
          if (removals.all) addAll();
          add(removals.keys);
        } finally {
          underWay = undefined;
        }
      };
      const { promise: done, resolve } = Promise.withResolvers<void>();
      underWay = { ...removals, done };
      void work().then(resolve);
      return done;
    },
  };
}
