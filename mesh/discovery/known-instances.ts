import type { Instance, OnInstances } from "../contract/discovery.ts";

/** What is known of the instances of one service, and who is told. */
export interface KnownInstances {
  readonly current: readonly Instance[];
  /** Tells of a change, if it is one. None at all is never a change: what was known may still answer. */
  replace(instances: readonly Instance[]): void;
  watch(onChange: OnInstances): Disposable;
}

export function createKnownInstances(): KnownInstances {
  const watchers = new Set<OnInstances>();
  let current: readonly Instance[] = [];
  return {
    get current() {
      return current;
    },
    replace(instances) {
      const next = instances.toSorted((a, b) => (a.address < b.address ? -1 : 1));
      if (next.length === 0 || sameInstances(current, next)) return;
      current = next;
      for (const onChange of watchers) onChange(current);
    },
    watch(given) {
      // One entry for each watch, though two of them give the same function.
      const onChange: OnInstances = (instances) => given(instances);
      watchers.add(onChange);
      if (current.length > 0) onChange(current);
      return { [Symbol.dispose]: () => void watchers.delete(onChange) };
    },
  };
}

function sameInstances(a: readonly Instance[], b: readonly Instance[]): boolean {
  return a.length === b.length && a.every((instance, index) => sameInstance(instance, b[index]));
}

/** Whether nothing that others see of an instance has changed. */
export function sameInstance(a: Instance, b: Instance | undefined): boolean {
  return a.address === b?.address && a.version === b.version && a.zone === b.zone && a.weight === b.weight;
}
