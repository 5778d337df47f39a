import { Code, type ConnectError } from "@connectrpc/connect";
import { errorReason, meaningOf } from "../contract/errors.ts";
import type { MethodPolicy } from "../contract/policy.ts";
import { pushbackMs } from "../contract/pushback.ts";
import { breakerOpenReason } from "../resilience/breaker.ts";
import { isRetryable } from "../resilience/retry.ts";

/**
 * What a call's first attempt that failed leads to: another attempt, or its end.
 *
 * @param chainAttempt of the call that is being handled here: what is repeated above is not repeated here as well
 */
export function mayTryAgain({ retry, idempotent }: MethodPolicy, error: ConnectError, chainAttempt: number): boolean {
  if (retry === undefined || !idempotent || chainAttempt > 1) return false;
  return error.code !== Code.Canceled && isRetryable(error);
}

/**
 * Whether a failed call is not to be repeated above this hop either: it has been decided here, or further down, whether to try again. Left open is
 * what the contract does not let this hop repeat.
 */
export function isDecided({ retry }: MethodPolicy, error: ConnectError): boolean {
  if (!meaningOf(error.code).retryable) return false;
  return (
    retry !== undefined || pushbackMs(error) === Number.POSITIVE_INFINITY || errorReason(error) === breakerOpenReason
  );
}
