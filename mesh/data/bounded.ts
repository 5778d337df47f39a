import { Code, ConnectError } from "@connectrpc/connect";
import { currentSignal } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";

/** How a wait ends early, and what becomes of the work that goes on without us. */
export interface Bound<T> {
  readonly limitMs: number;
  /** What is thrown when limitMs have passed. */
  readonly onLimit: () => Error;
  /** The work is still under way and nobody waits for it any more. */
  readonly onAbandon: (work: Promise<T>) => void;
}

/** Waits for work, but no longer than its limit and than the ambient call lives. A call that is over starts none. */
export async function bounded<T>(bound: Bound<T>, start: () => Promise<T>): Promise<T> {
  const signal = currentSignal();
  throwIfCallIsOver(signal);
  const work = start();
  return await new Promise<T>((resolve, reject) => {
    const abandon = (error: Error) => {
      settle();
      bound.onAbandon(work);
      reject(error);
    };
    const onAbort = () => abandon(reasonOf(signal));
    const timer = setTimeout(() => abandon(bound.onLimit()), bound.limitMs);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort);
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/** @throws what ended the ambient call, if it has ended */
export function throwIfCallIsOver(signal = currentSignal()): void {
  if (signal?.aborted) throw reasonOf(signal);
}

function reasonOf(signal: AbortSignal | undefined): ConnectError {
  const reason: unknown = signal?.reason;
  return reason instanceof ConnectError ? reason : rpcError(Code.Canceled, "the call was cancelled", { cause: reason });
}
