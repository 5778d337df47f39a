import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

/**
 * The reason, of the domain "weft", of a call that was surely not run: it may be made elsewhere, whatever it does. On every way calls take.
 */
export const notRunReason = "NOT_RUN";

/** The reason, of the domain "weft", of a call that was lost on its way: it may be made again only if it is idempotent. */
export const mayHaveRunReason = "MAY_HAVE_RUN";

/** The reason, of the domain "weft", of a call that a server with too much to do has turned away. It was not run. */
export const overloadedReason = "OVERLOADED";

/** What a caller's program can act on, sent as google.rpc details beside code and message. */
export interface RpcErrorInfo {
  /** UPPER_SNAKE_CASE, stable: programs switch on it. Sent as google.rpc.ErrorInfo. */
  readonly reason?: string;
  /** Who defines the reason: "weft" for those of the mesh. Left out, it is the contract's owner (mesh/server/visible-error.ts). */
  readonly domain?: string;
  /** Facts behind the reason. */
  readonly metadata?: Record<string, string>;
  /** Fields of the request that are wrong. Sent as google.rpc.BadRequest. */
  readonly violations?: readonly { readonly field: string; readonly description: string }[];
  /** When to try again. Sent as google.rpc.RetryInfo. */
  readonly retryDelayMs?: number;
  /** Kept for the log, never sent. */
  readonly cause?: unknown;
}

/**
 * The one error type: a gRPC code, a message for people, details for programs (AIP-193).
 *
 * An error of any other kind that leaves a handler reaches the caller as INTERNAL with a message that says nothing.
 */
export function rpcError(code: Code, message: string, info: RpcErrorInfo = {}): ConnectError {
  const error = new ConnectError(message, code, undefined, undefined, info.cause);
  const reason = info.reason;
  if (reason !== undefined) {
    error.details.push({
      desc: ErrorInfoSchema,
      value: { reason, domain: info.domain ?? "", metadata: info.metadata ?? {} },
    });
  }
  if (info.violations !== undefined) {
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations: [...info.violations] } });
  }
  if (info.retryDelayMs !== undefined) {
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay: toDuration(info.retryDelayMs) } });
  }
  return error;
}

/** The reason that an error carries as google.rpc.ErrorInfo, if any. */
export function errorReason(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

/** How long an error asks its caller to wait, in milliseconds, if it does (google.rpc.RetryInfo). */
export function retryDelayMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}

/** Why a call was cancelled: the signal's reason where that is an error of ours, a passed deadline say, else CANCELLED. */
export function cancellation(signal: AbortSignal): ConnectError {
  const { reason } = signal;
  return reason instanceof ConnectError ? reason : rpcError(Code.Canceled, "the call was cancelled", { cause: reason });
}

/** What a status means to the mesh: DESIGN.md's table, kept in one place. */
export interface StatusMeaning {
  /** Another attempt may succeed (if the method is idempotent, in budget and in time). */
  readonly retryable: boolean;
  /** The endpoint is ill: counts against its breaker. */
  readonly endpointFailure: boolean;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

const quiet: StatusMeaning = { retryable: false, endpointFailure: false, logLevel: "debug" };
const broken: StatusMeaning = { retryable: false, endpointFailure: true, logLevel: "error" };

/** Looks up what a status means to the mesh. */
export function meaningOf(code: Code): StatusMeaning {
  switch (code) {
    case Code.Unavailable:
      return { retryable: true, endpointFailure: true, logLevel: "warn" };
    case Code.ResourceExhausted:
      return { retryable: true, endpointFailure: false, logLevel: "info" };
    case Code.DeadlineExceeded:
      return { retryable: true, endpointFailure: true, logLevel: "warn" };
    case Code.Internal:
    case Code.Unknown:
    case Code.DataLoss:
      return broken;
    case Code.Aborted:
      return { ...quiet, logLevel: "info" };
    default:
      return quiet;
  }
}

/** Milliseconds as google.protobuf.Duration, to the nanosecond. */
export function toDuration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.trunc(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  // What rounds up to a whole second is one.
  return Math.abs(nanos) < 1e9
    ? { seconds: BigInt(seconds), nanos }
    : { seconds: BigInt(seconds + nanos / 1e9), nanos: 0 };
}
