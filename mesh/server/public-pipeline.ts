import { Code, ConnectError, type Interceptor, type StreamRequest, type StreamResponse } from "@connectrpc/connect";
import { resumed } from "../context/resumed.ts";
import { rpcError } from "../contract/errors.ts";
import { malformed } from "./malformed.ts";
import type { ServerPipeline } from "./pipeline.ts";
import { publicCallKey } from "./protocol-errors.ts";
import { type Authenticate, type Next, PublicStreamCall, PublicUnaryCall, requireEncodable } from "./public-calls.ts";
import { publicError } from "./public-error.ts";
import type { Route } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";

export interface PublicPipelineOptions {
  readonly pipeline: ServerPipeline;
  readonly routes: ReadonlyMap<string, Route>;
  readonly authenticate: Authenticate;
}

/** An error as somebody outside may see it. */
type Outside = (error: unknown) => ConnectError;

/** Creates Connect's interceptor that hands each call to the pipeline and its error, made fit for outside, back. */
export function createPublicPipeline({ pipeline, routes, authenticate }: PublicPipelineOptions): Interceptor {
  const { clock } = pipeline;
  const known = new Map([...routes].map(([path, route]) => [path, pipeline.prepare(route)]));
  return (next) => async (request) => {
    const served = known.get(`${request.service.typeName}/${request.method.name}`);
    if (served === undefined) throw rpcError(Code.Unimplemented, "no such method");
    const state = request.contextValues.get(publicCallKey);
    // Known once the call is in the pipeline.
    const requestId = (): string => state.requestId ?? "";
    const outside: Outside = (error) => publicError(ConnectError.from(error), requestId());
    try {
      const response = request.stream
        ? await answerStream(
            pipeline,
            new PublicStreamCall(served, clock, request, authenticate),
            request,
            next,
            outside,
          )
        : await answerUnary(pipeline, new PublicUnaryCall(served, clock, request, next, authenticate));
      response.header.set("x-request-id", requestId());
      return response;
    } catch (error) {
      throw outside(error);
    }
  };
}

function answerUnary(pipeline: ServerPipeline, call: PublicUnaryCall): PublicUnaryCall["answered"] {
  pipeline.unary(call);
  return call.answered;
}

async function answerStream(
  pipeline: ServerPipeline,
  call: PublicStreamCall,
  request: StreamRequest,
  next: Next,
  outside: Outside,
): Promise<StreamResponse> {
  const { served } = call;
  const opened = Promise.withResolvers<StreamResponse>();
  const answers = pipeline
    .stream(call, decoded(request.message, served), async function* (message) {
      const response = await next({ ...request, message });
      if (!response.stream) throw new Error(`${request.method.name} answered with one message, not a stream`);
      opened.resolve(response);
      for await (const output of response.message) {
        requireEncodable(served, output);
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

async function* outwards<T>(answers: AsyncIterable<T>, outside: Outside): AsyncIterable<T> {
  try {
    yield* answers;
  } catch (error) {
    throw outside(error);
  }
}

/** Connect decodes the messages of a stream while they are read; it calls one that is broken an internal error. */
async function* decoded<T>(messages: AsyncIterable<T>, { method }: ServedRoute): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw ConnectError.from(error).code === Code.Internal ? malformed(method.input, error) : error;
  }
}
