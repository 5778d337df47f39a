/** A step of the demo that did not happen. */
export class StepFailed extends Error {
  override name = "StepFailed";
}

/** Runs steps one after the other and shows each with the time that it took. */
export interface Steps {
  /** @throws StepFailed naming the step */
  step<T>(name: string, work: () => Promise<T>, tell?: (result: T) => string): Promise<T>;
  /** Prints lines below the last step. */
  show(lines: readonly string[]): void;
  /** Prints a heading. */
  heading(text: string): void;
}

/** Creates steps that print through write. */
export function createSteps(write: (text: string) => void): Steps {
  return {
    async step(name, work, tell = () => "") {
      const startedAt = performance.now();
      const took = () => `${((performance.now() - startedAt) / 1000).toFixed(2)} s`.padStart(8);
      try {
        const result = await work();
        write(`  ${took()}  ${name.padEnd(34)} ${tell(result)}\n`);
        return result;
      } catch (cause) {
        write(`  ${took()}  ${name.padEnd(34)} FAILED\n`);
        throw new StepFailed(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
    },
    show(lines) {
      for (const line of lines) write(`            ${line}\n`);
    },
    heading(text) {
      write(`\n${text}\n`);
    },
  };
}

/** Asks again until there is an answer. @throws Error after timeoutMs, saying what was waited for */
export async function waitFor<T>(what: string, timeoutMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > until) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
