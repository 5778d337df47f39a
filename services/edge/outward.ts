import { Code, ConnectError } from "@connectrpc/connect";
import { isSpanContextValid, trace } from "@opentelemetry/api";
import { currentCall } from "@weft/mesh/context";
import { retryDelayMs, rpcError } from "@weft/mesh/contract";

/** The caller's or the domain's fault: the inner service's words are meant for the caller. */
const callersFault: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.FailedPrecondition,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.OutOfRange,
  Code.Canceled,
]);

/** Details that only ever say what was wrong with the call. Anything else stays inside. */
const publicDetails: ReadonlySet<string> = new Set(
  [
    "BadRequest",
    "ErrorInfo",
    "Help",
    "LocalizedMessage",
    "PreconditionFailure",
    "QuotaFailure",
    "ResourceInfo",
    "RetryInfo",
  ].map((name) => `google.rpc.${name}`),
);

/** When a caller may ask again if the service that is away has not said. */
const RETRY_DELAY_MS = 1_000;

/** The id under which the logs and traces of the call being handled are found: its trace id. */
export function currentRequestId(): string | undefined {
  const call = currentCall();
  const span = call && trace.getSpanContext(call.otel);
  return span && isSpanContextValid(span) ? span.traceId : undefined;
}

/**
 * What the outside may see of an inner service's error: code, message and details if the caller or the domain is at
 * fault; else a message that gives away nothing but the request's id. The error itself is kept as cause, for the log.
 */
export function toOutward(error: unknown, requestId: string | undefined): ConnectError {
  if (error instanceof ConnectError && callersFault.has(error.code)) return withPublicDetails(error);
  const id = requestId === undefined ? "" : ` (request id ${requestId})`;
  const metadata = requestId === undefined ? {} : { request_id: requestId };
  const code = error instanceof ConnectError ? error.code : Code.Internal;
  switch (code) {
    case Code.Unavailable: {
      const delayMs = (error instanceof ConnectError ? retryDelayMs(error) : undefined) ?? RETRY_DELAY_MS;
      const info = { reason: "UNAVAILABLE", metadata, retryDelayMs: delayMs, cause: error };
      return rpcError(code, `the shop cannot do this at the moment: try again shortly${id}`, info);
    }
    case Code.DeadlineExceeded:
      return rpcError(code, `the shop did not answer in time${id}`, {
        reason: "DEADLINE_EXCEEDED",
        metadata,
        cause: error,
      });
    default:
      return rpcError(Code.Internal, `internal error: nothing you did${id}`, {
        reason: "INTERNAL",
        metadata,
        cause: error,
      });
  }
}

function withPublicDetails(error: ConnectError): ConnectError {
  const outward = new ConnectError(error.rawMessage, error.code, undefined, undefined, error);
  outward.details = error.details.filter((detail) =>
    publicDetails.has("desc" in detail ? detail.desc.typeName : detail.type),
  );
  return outward;
}

/** A unary handler whose errors are fit for the outside. */
export function outward<Input, Output>(handle: (input: Input) => Promise<Output>): (input: Input) => Promise<Output> {
  return async (input) => {
    try {
      return await handle(input);
    } catch (error) {
      throw toOutward(error, currentRequestId());
    }
  };
}

/** The same for a handler that answers with a stream. The signal ends the inner call when the caller leaves. */
export function outwardStream<Input, Output>(
  handle: (input: Input, signal: AbortSignal) => AsyncIterable<Output>,
): (input: Input, context: { signal: AbortSignal }) => AsyncIterable<Output> {
  return async function* (input, context) {
    // Leaving the loop over a Connect client's stream does not end the call; its signal does.
    const left = new AbortController();
    try {
      yield* handle(input, AbortSignal.any([context.signal, left.signal]));
    } catch (error) {
      throw toOutward(error, currentRequestId());
    } finally {
      left.abort();
    }
  };
}
