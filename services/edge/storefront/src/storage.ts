/** A place that outlives the page; JSON inside. */
export interface Storage {
  read<Value>(name: string): Value | undefined;
  write(name: string, value: unknown): void;
  remove(name: string): void;
}

const prefix = "weft.";

/** The browser's storage. Where it is forbidden or full, what is written lives as long as the page. */
export function createStorage(browser: Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">): Storage {
  const kept = new Map<string, string>();
  const guarded = <Value>(act: () => Value): Value | undefined => {
    try {
      return act();
    } catch {
      return undefined;
    }
  };
  return {
    read<Value>(name: string) {
      const text = kept.get(name) ?? guarded(() => browser.getItem(prefix + name)) ?? undefined;
      return text === undefined ? undefined : guarded(() => JSON.parse(text) as Value);
    },
    write(name, value) {
      const text = JSON.stringify(value);
      const written = guarded(() => {
        browser.setItem(prefix + name, text);
        return true;
      });
      if (written) kept.delete(name);
      else kept.set(name, text);
    },
    remove(name) {
      kept.delete(name);
      guarded(() => browser.removeItem(prefix + name));
    },
  };
}
