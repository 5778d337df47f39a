import { createFaults } from "../outside/faults.ts";
import type { LedgerRecord } from "../outside/ledger.ts";
import { type AuthorizeInput, createProvider } from "../outside/provider.ts";

/** What the payment provider was once asked, and answered. */
export interface ProviderRequest {
  readonly atMs: number;
  readonly operation: "authorize" | "capture" | "void" | "refund";
  readonly key: string;
  readonly authorizationId: string;
  readonly input: AuthorizeInput;
  readonly answer: "authorized" | "declined" | "captured" | "refused" | "voided" | "refunded";
}

/** What a payment provider that was asked all this keeps: the sandbox itself is asked, at the time of each request. */
export async function recordPast(requests: readonly ProviderRequest[]): Promise<LedgerRecord[]> {
  const records: LedgerRecord[] = [];
  let current: ProviderRequest | undefined;
  const provider = createProvider({
    ledger: { records, append: (record) => records.push(record), [Symbol.dispose]: () => {} },
    faults: createFaults(),
    now: () => new Date(current?.atMs ?? 0),
    pause: () => Promise.resolve(),
    newId: () => current?.authorizationId ?? "",
  });
  for (const request of requests.toSorted((a, b) => a.atMs - b.atMs)) {
    current = request;
    const { operation, key, authorizationId, input, answer } = request;
    const { status } =
      operation === "authorize"
        ? await provider.authorize(key, input)
        : await provider[operation](key, authorizationId);
    const expected = answer === "declined" || answer === "refused" ? 402 : 200;
    if (status !== expected) throw new Error(`${operation} of ${input.reference}: answered ${status}, not ${expected}`);
  }
  return records;
}
