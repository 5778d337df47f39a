import { Code, ConnectError, createContextKey, type Interceptor, type StreamResponse } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { rpcError } from "../contract/errors.ts";
import type { IncomingCall, ServerPipeline } from "./pipeline.ts";
import { publicError } from "./public-error.ts";
import { requestDeadlineMs } from "./request-deadline.ts";
import type { Route } from "./routes.ts";

/** Carries the caller's address from the HTTP request to the interceptor. */
export const clientAddressKey = createContextKey<string | undefined>(undefined, { description: "client address" });

export interface EntryOptions {
  readonly pipeline: ServerPipeline;
  readonly routes: ReadonlyMap<string, Route>;
  /** Verifies the caller's token; undefined if there is none. @throws ConnectError UNAUTHENTICATED if it is no good */
  readonly authenticate: (headers: Headers) => Promise<EndUser | undefined>;
  /** Aborted when the server drains. */
  readonly shutdown: AbortSignal;
}

/** Connect's interceptor that hands each call to the pipeline and its error, made fit for outside, back. */
export function enterPipeline({ pipeline, routes, authenticate, shutdown }: EntryOptions): Interceptor {
  return (next) => async (request) => {
    const route = routes.get(`${request.service.typeName}/${request.method.name}`);
    if (route === undefined) throw rpcError(Code.Unimplemented, "no such method");
    let requestId = "";
    const call: IncomingCall = {
      method: route.method,
      policy: route.policy,
      header: (name) => request.header.get(name),
      headers: request.header,
      deadlineMs: requestDeadlineMs(request.header, Date.now()),
      peer: undefined,
      endUser: authenticate(request.header),
      clientAddress: request.contextValues.get(clientAddressKey),
      cancel: cancelSourceOf(request.signal),
      onTrace: (traceId) => {
        requestId = traceId;
      },
    };
    const outside = (error: unknown): ConnectError => publicError(ConnectError.from(error), requestId);
    if (!request.stream) {
      try {
        const response = await pipeline.unary(
          call,
          () => request.message,
          (message) => next({ ...request, message }),
        );
        response.header.set("x-request-id", requestId);
        return response;
      } catch (error) {
        throw outside(error);
      }
    }
    // A stream may never end by itself, so the server's end is its end; a unary call in hand is let finish.
    shutdown.addEventListener("abort", () => call.cancel.cancel(shutdown.reason), {
      once: true,
      signal: request.signal,
    });
    const opened = Promise.withResolvers<StreamResponse>();
    const answers = pipeline
      .stream(call, request.message, async function* (message) {
        const response = await next({ ...request, message });
        if (!response.stream) throw new Error(`${request.method.name} answered with one message, not a stream`);
        opened.resolve(response);
        yield* response.message;
      })
      [Symbol.asyncIterator]();
    const first = answers.next();
    try {
      // Waited for, since what is returned must carry the headers of Connect's own response: content type, compression,
      // gRPC's status.
      const response = await Promise.race([opened.promise, first.then(() => opened.promise)]);
      response.header.set("x-request-id", requestId);
      return { ...response, message: outwards(first, answers, outside) };
    } catch (error) {
      throw outside(error);
    }
  };
}

async function* outwards<T>(
  first: Promise<IteratorResult<T>>,
  answers: AsyncIterator<T>,
  outside: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    for (let answer = await first; !answer.done; answer = await answers.next()) yield answer.value;
  } catch (error) {
    throw outside(error);
  } finally {
    await answers.return?.();
  }
}

function cancelSourceOf(signal: AbortSignal): CancelSource {
  const cancel = new CancelSource();
  // Connect aborts the signal of a finished call too; by then nobody listens.
  const abort = (): void => {
    cancel.cancel(signal.reason instanceof ConnectError ? signal.reason : rpcError(Code.Canceled, "the caller left"));
  };
  signal.addEventListener("abort", abort, { once: true });
  return cancel;
}
