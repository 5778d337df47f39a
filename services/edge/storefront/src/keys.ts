import { type DescMessage, equals, getOption, hasOption, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { KeySource, method as methodOption } from "@weft/mesh/gen/weft/v1/options_pb.js";

/** With these the server has said no: nothing has happened, and the next attempt is a new one. */
const refusals: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.OutOfRange,
]);

/** Whether an error is an answer: after any other, what was asked for may have happened. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(ConnectError.from(error).code);
}

/**
 * Sends a key with each call that takes one in a header: a new one for each thing that is wanted, the same again when what was wanted last and never
 * answered is asked for again. So a second click after a broken connection does nothing twice.
 */
export function sendKeys(newKey: () => string): Interceptor {
  const unanswered = new Map<object, { readonly key: string; readonly request: MessageShape<DescMessage> }>();
  return (next) => async (request) => {
    const { method } = request;
    const takesKey =
      hasOption(method, methodOption) && getOption(method, methodOption).idempotencyKey === KeySource.METADATA;
    if (request.stream || !takesKey) return await next(request);
    const last = unanswered.get(method);
    const isSame = last !== undefined && equals(method.input, last.request, request.message);
    const attempt = { key: isSame ? last.key : newKey(), request: request.message };
    unanswered.set(method, attempt);
    request.header.set("Idempotency-Key", attempt.key);
    const forget = () => unanswered.get(method) === attempt && unanswered.delete(method);
    try {
      const answer = await next(request);
      forget();
      return answer;
    } catch (error) {
      if (isRefusal(error)) forget();
      throw error;
    }
  };
}
