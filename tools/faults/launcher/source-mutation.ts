import { registerHooks } from "node:module";

/** One exact piece of text in one module, and what stands there instead. */
export interface Edit {
  /** From the root of the repository: "services/order/saga.ts". */
  readonly module: string;
  readonly find: string;
  readonly replace: string;
}

/** Replaces each edit's text in a module's source. @throws Error naming what is not there exactly once */
export function mutate(module: string, source: string, edits: readonly Edit[]): string {
  return edits.reduce((text, { find, replace }) => {
    const count = text.split(find).length - 1;
    if (count !== 1) throw new Error(`mutation: ${module} has the text ${count} times, not once: ${find}`);
    return text.replace(find, () => replace);
  }, source);
}

/**
 * Changes modules as they are loaded, from now on. Answers with a function that throws if one of them has not been loaded since:
 * then nothing was mutated, and a green run would say nothing.
 */
export function mutateModules(root: URL, edits: readonly Edit[]): () => void {
  const editsOf = Map.groupBy(edits, ({ module }) => new URL(module, root).href);
  const loaded = new Set<string>();
  registerHooks({
    load(url, context, nextLoad) {
      const result = nextLoad(url, context);
      const own = editsOf.get(url);
      if (own === undefined) return result;
      const source = mutate(url, String(result.source), own);
      loaded.add(url);
      return { ...result, source };
    },
  });
  return () => {
    const missing = [...editsOf.keys()].filter((url) => !loaded.has(url));
    if (missing.length > 0) throw new Error(`mutation: never loaded: ${missing.join(", ")}`);
  };
}
