/** Tells those who listen that something has changed. */
export interface Changes {
  listen(listener: () => void): () => void;
  tell(): void;
}

export function createChanges(): Changes {
  const listeners = new Set<() => void>();
  return {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell() {
      for (const listener of [...listeners]) listener();
    },
  };
}
