import { Code, type ConnectError } from "@connectrpc/connect";
import { errorReason, meaningOf, notRunReason, rpcError } from "../contract/errors.ts";
import type { MethodPolicy } from "../contract/policy.ts";
import { pushbackMs } from "../contract/pushback.ts";
import { type ErrorInfo, ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
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

/** Whether the call surely did not run, so that it may be made elsewhere whatever it does: its tunnel or its server says so, or it never left. */
export function isNotRun(error: ConnectError): boolean {
  return error.code === Code.Unavailable && error.findDetails(ErrorInfoSchema).some(isNotRunInfo);
}

/**
 * The error as whoever called sees it. That a call did not run is told in words of its own: should it be thrown on, it must not say the same of
 * the call that is being handled here.
 */
export function toldToCaller(error: ConnectError, path: string): ConnectError {
  if (!isNotRun(error)) return error;
  return rpcError(error.code, error.rawMessage, {
    reason: callNotRunReason,
    domain: "weft",
    metadata: { method: path },
    cause: error,
  });
}

/** The reason, of the domain "weft", of a failed call that surely did not run. */
export const callNotRunReason = "CALL_NOT_RUN";

function isNotRunInfo({ reason, domain }: ErrorInfo): boolean {
  return reason === notRunReason && domain === "weft";
}
