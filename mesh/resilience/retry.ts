import { Code, ConnectError } from "@connectrpc/connect";
import { DelegateBackoff, handleWhen, retry } from "cockatiel";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { cancellation, errorReason, meaningOf, retryDelayMs } from "../contract/errors.ts";
import type { RetryPolicy } from "../contract/policy.ts";
import { pushbackMs } from "../contract/pushback.ts";
import { breakerOpenReason } from "./breaker.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface RetryOptions {
  readonly policy: RetryPolicy;
  /** Of the whole call, milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Each attempt after the first is paid from it; without one they are free. */
  readonly budget?: RetryBudget | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Told before each wait. */
  readonly onRetry?: (attempt: number, delayMs: number) => void;
}

/**
 * Repeats a call whose first attempt has failed (cockatiel's loop, entered only then): full jitter between attempts, or
 * the wait that the server asked for; never past the deadline.
 *
 * @param firstError of attempt 1
 * @param attempt makes attempt n, from 2
 * @throws the last attempt's error, or why the signal was aborted, at once
 */
export async function retryAfter<T>(
  firstError: unknown,
  options: RetryOptions,
  attempt: (number: number) => Promise<T>,
): Promise<T> {
  const { policy, deadlineMs, clock = systemClock, random = Math.random } = options;
  // The wait is drawn when the question comes up whether it still fits before the deadline, then used by the backoff.
  let delayMs = 0;
  let failures = 0;
  const mayRetry = (error: unknown): boolean => {
    failures += 1;
    if (failures >= policy.maxAttempts || !isRetryable(error)) return false;
    delayMs = delayBefore(failures + 1, error, policy, random);
    if (clock.now() + delayMs >= deadlineMs) return false;
    return options.budget?.spend() ?? true;
  };
  const loop = retry(handleWhen(mayRetry), {
    maxAttempts: policy.maxAttempts - 1,
    backoff: new DelegateBackoff(() => {
      options.onRetry?.(failures + 1, delayMs);
      return delayMs;
    }),
  });
  const outcome = loop.execute(
    (context) => (context.attempt === 0 ? Promise.reject(firstError) : attempt(context.attempt + 1)),
    options.signal,
  );
  return await orAborted(outcome, options.signal);
}

/** cockatiel sits out a wait whose caller has left; whoever called does not. */
function orAborted<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return outcome;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(cancellation(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const unlink = (): void => signal.removeEventListener("abort", abort);
    outcome.then(resolve, reject).finally(unlink);
  });
}

/**
 * Whether another attempt may help. A loaded server is asked again only if it said when; behind an open breaker nobody
 * is asked; and whoever says that it is not to be tried again, a hop that has done so in vain, is believed.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof ConnectError) || !meaningOf(error.code).retryable) return false;
  if (errorReason(error) === breakerOpenReason) return false;
  const asked = askedDelayMs(error);
  return asked === undefined ? error.code !== Code.ResourceExhausted : asked !== Number.POSITIVE_INFINITY;
}

/** The wait that the server asks for, as gRPC's clients do or as google.rpc.RetryInfo; Infinity: not at all. */
function askedDelayMs(error: ConnectError): number | undefined {
  return pushbackMs(error) ?? retryDelayMs(error);
}

/**
 * Full jitter: anything from 0 to the exponential bound, which spreads a herd best.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
function delayBefore(attempt: number, error: unknown, policy: RetryPolicy, random: Random): number {
  const bound = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 2));
  const asked = error instanceof ConnectError ? (askedDelayMs(error) ?? 0) : 0;
  return asked + random() * bound;
}
