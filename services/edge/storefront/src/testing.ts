import { createStorage, type Storage } from "./storage.ts";

/** A browser's storage that lives as long as the test. */
export function createTestStorage(): Storage {
  const items = new Map<string, string>();
  return createStorage({
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  });
}
