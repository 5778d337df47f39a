/** The start of a target, when it is not yet known whom its calls can go to. */
export interface Opening {
  /** Resolves when it has ended; undefined from then on. */
  until(): Promise<void> | undefined;
  end(): void;
}

/** Begins an opening. It ends by itself when it is time to do without. */
export function createOpening(timeoutMs: number): Opening {
  const { promise, resolve } = Promise.withResolvers<void>();
  let until: Promise<void> | undefined = promise;
  const end = (): void => {
    clearTimeout(timer);
    until = undefined;
    resolve();
  };
  const timer = setTimeout(end, timeoutMs).unref();
  return {
    until: () => until,
    end,
  };
}
