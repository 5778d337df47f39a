import { Code, type ConnectError } from "@connectrpc/connect";
import type { MethodPolicy } from "../contract/policy.ts";
import { isRetryable } from "../resilience/retry.ts";

/** What a call's first attempt that failed leads to: another attempt, or its end. */
export function mayTryAgain({ retry, idempotent }: MethodPolicy, error: ConnectError): boolean {
  return retry !== undefined && idempotent && error.code !== Code.Canceled && isRetryable(error);
}
