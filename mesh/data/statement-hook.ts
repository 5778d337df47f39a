import type { StatementHook } from "../contract/statement-hook.ts";
import type { Observe } from "./statement.ts";

/** Statements with the hook around them; as they are if there is none. */
export function withHook(observe: Observe, onStatement: StatementHook | undefined): Observe {
  if (onStatement === undefined) return observe;
  return async (name, work) => {
    await onStatement("before", name);
    const result = await observe(name, work);
    await onStatement("after", name);
    return result;
  };
}
