import { type Message, toBinary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
} from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { resumed } from "../context/resumed.ts";
import { cancellation, rpcError } from "../contract/errors.ts";
import { malformed } from "./malformed.ts";
import type { IncomingCall, ServerPipeline } from "./pipeline.ts";
import { publicCallKey } from "./protocol-errors.ts";
import { publicError } from "./public-error.ts";
import { requestDeadlineMs } from "./request-deadline.ts";
import type { Route } from "./routes.ts";

export interface PublicPipelineOptions {
  readonly pipeline: ServerPipeline;
  readonly routes: ReadonlyMap<string, Route>;
  readonly authenticate: (headers: Headers) => Promise<EndUser | undefined>;
}

type Next = Parameters<Interceptor>[0];

/** A call on its way through the pipeline. */
interface EnteredCall {
  readonly route: Route;
  readonly call: IncomingCall;
  /** Known once the call is in the pipeline. */
  readonly requestId: () => string;
  /** An error as somebody outside may see it. */
  readonly outside: (error: unknown) => ConnectError;
}

/** Creates Connect's interceptor that hands each call to the pipeline and its error, made fit for outside, back. */
export function createPublicPipeline({ pipeline, routes, authenticate }: PublicPipelineOptions): Interceptor {
  return (next) => async (request) => {
    const route = routes.get(`${request.service.typeName}/${request.method.name}`);
    if (route === undefined) throw rpcError(Code.Unimplemented, "no such method");
    const state = request.contextValues.get(publicCallKey);
    const requestId = (): string => state.requestId ?? "";
    const call: IncomingCall = {
      method: route.method,
      policy: route.policy,
      header: (name) => request.header.get(name),
      headers: request.header,
      deadlineMs: requestDeadlineMs(request.header, Date.now()),
      peer: undefined,
      fromOutside: true,
      endUser: async () => await authenticate(request.header),
      clientAddress: state.clientAddress,
      cancel: cancelSourceOf(request.signal),
      onTrace: (traceId) => {
        state.requestId = traceId;
      },
    };
    const outside = (error: unknown): ConnectError => publicError(ConnectError.from(error), requestId());
    const entered = { route, call, requestId, outside };
    try {
      const response = request.stream
        ? await answerStream(pipeline, entered, request, next)
        : await answerUnary(pipeline, entered, request, next);
      response.header.set("x-request-id", requestId());
      return response;
    } catch (error) {
      throw outside(error);
    }
  };
}

async function answerUnary(
  pipeline: ServerPipeline,
  { call, route }: EnteredCall,
  request: UnaryRequest,
  next: Next,
): Promise<Awaited<ReturnType<Next>>> {
  return await pipeline.unary(
    call,
    () => request.message,
    async (message) => {
      const response = await next({ ...request, message });
      const framed = request.header.get("content-type")?.startsWith("application/grpc");
      if (framed && !response.stream) requireEncodable(route, response.message);
      return response;
    },
  );
}

async function answerStream(
  pipeline: ServerPipeline,
  { call, route, outside }: EnteredCall,
  request: StreamRequest,
  next: Next,
): Promise<StreamResponse> {
  const opened = Promise.withResolvers<StreamResponse>();
  const answers = pipeline
    .stream(call, decoded(request.message, route), async function* (message) {
      const response = await next({ ...request, message });
      if (!response.stream) throw new Error(`${request.method.name} answered with one message, not a stream`);
      opened.resolve(response);
      for await (const output of response.message) {
        requireEncodable(route, output);
        yield output;
      }
    })
    [Symbol.asyncIterator]();
  const first = answers.next();
  // Waited for, since what is returned must carry the headers of Connect's own response: content type, compression,
  // gRPC's status.
  const response = await Promise.race([opened.promise, first.then(() => opened.promise)]);
  return { ...response, message: outwards(resumed(first, answers), outside) };
}

/** Connect encodes what is framed when it is sent, and shows to the caller, and to nobody else, why it cannot. */
function requireEncodable({ method }: Route, message: Message): void {
  toBinary(method.output, message);
}

async function* outwards<T>(answers: AsyncIterable<T>, outside: (error: unknown) => ConnectError): AsyncIterable<T> {
  try {
    yield* answers;
  } catch (error) {
    throw outside(error);
  }
}

/** Connect decodes the messages of a stream while they are read; it calls one that is broken an internal error. */
async function* decoded<T>(messages: AsyncIterable<T>, { method }: Route): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw ConnectError.from(error).code === Code.Internal ? malformed(method.input, error) : error;
  }
}

function cancelSourceOf(signal: AbortSignal): CancelSource {
  const cancel = new CancelSource();
  // Connect aborts the signal of a finished call too; by then nobody listens.
  const abort = (): void => cancel.cancel(cancellation(signal));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return cancel;
}
