import type { ConnectError } from "@connectrpc/connect";

/**
 * The trailer with which a server says when a failed call may be tried again: after so many milliseconds, or, negative, not at
 * all. Any gRPC client that retries obeys it.
 *
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
 */
export const pushbackTrailer = "grpc-retry-pushback-ms";

const delayMaxMs = 2 ** 31 - 1;

/**
 * What a failed call's server says of another attempt: milliseconds to wait, Infinity if there is to be none (what cannot be
 * read says so too); undefined if it says nothing.
 */
export function pushbackMs(error: ConnectError): number | undefined {
  const value = error.metadata.get(pushbackTrailer);
  if (value === null) return undefined;
  return /^[0-9]{1,10}$/.test(value) && Number(value) <= delayMaxMs ? Number(value) : Number.POSITIVE_INFINITY;
}

/** Says with an error that the call is not to be repeated above. */
export function forbidRetry(error: ConnectError): void {
  error.metadata.set(pushbackTrailer, "-1");
}
