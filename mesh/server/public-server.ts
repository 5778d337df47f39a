import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Code, ConnectError, type ConnectRouter, type Interceptor, type StreamResponse } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { EndUser } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { rpcError } from "../contract/errors.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { answerCors } from "./cors.ts";
import { createServerPipeline, type IncomingCall, type ServerPipeline } from "./pipeline.ts";
import { publicError } from "./public-error.ts";
import { requestDeadlineMs } from "./request-deadline.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes, type Route } from "./routes.ts";
import type { RunningServer } from "./serve.ts";

/** Bounds of the public server. */
const limits = {
  /** Also what a compressed body may grow to. */
  messageBytesMax: 1024 * 1024,
  timeoutMsMax: 5 * 60_000,
  connectionsMax: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
};

/** Unknown fields are ignored, as protobuf's evolution needs; bytes that are no UTF-8 are refused, not replaced. */
const jsonOptions = { ignoreUnknownFields: true, textDecoder: new TextDecoder("utf-8", { fatal: true }) };

export interface PublicServerOptions {
  readonly service: string;
  readonly address: Address;
  /** The setting that changes the address, for the error when it is taken. */
  readonly addressSetting: string;
  readonly routes: (router: ConnectRouter) => void;
  readonly telemetry: Telemetry;
  /** Verifies the caller's token; undefined if there is none. @throws ConnectError UNAUTHENTICATED if it is no good */
  readonly authenticate: (headers: Headers) => Promise<EndUser | undefined>;
  /** Origins of pages that may call: "https://shop.example". */
  readonly corsOrigins: readonly string[];
  readonly ready?: () => boolean;
}

/**
 * Serves methods to the outside: Connect, gRPC-Web and JSON over HTTP/1.1 by connect-node, which only speaks the
 * protocols; its calls go through the same pipeline as everybody's.
 */
export async function servePublic(options: PublicServerOptions): Promise<RunningServer> {
  const { telemetry } = options;
  const routes = collectRoutes(options.routes);
  const validate = createRequestValidation([...routes.values()].map((route) => route.method));
  const pipeline = createServerPipeline({ telemetry, validate });
  const shutdown = new AbortController();
  const handler = connectNodeAdapter({
    routes: options.routes,
    interceptors: [enterPipeline(pipeline, routes, options.authenticate, shutdown.signal)],
    readMaxBytes: limits.messageBytesMax,
    writeMaxBytes: 4 * limits.messageBytesMax,
    maxTimeoutMs: limits.timeoutMsMax,
    jsonOptions,
    fallback: (request, response) => answerOther(request as IncomingMessage, response as ServerResponse, options),
  });
  const origins = new Set(options.corsOrigins);
  const server = createServer((request, response) => {
    if (!answerCors(origins, request, response)) handler(request, response);
  });
  server.maxConnections = limits.connectionsMax;
  server.headersTimeout = limits.headersTimeoutMs;
  server.requestTimeout = limits.requestTimeoutMs;
  const port = await listen(server, options.address, options.addressSetting);
  telemetry.logger.info("serving the public API", { address: formatAddress({ ...options.address, port }) });
  return { port, [Symbol.asyncDispose]: () => drain(server, shutdown) };
}

/** Connect's interceptor that hands each call to the pipeline and its error, made fit for outside, back. */
function enterPipeline(
  pipeline: ServerPipeline,
  routes: ReadonlyMap<string, Route>,
  authenticate: PublicServerOptions["authenticate"],
  shutdown: AbortSignal,
): Interceptor {
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

function answerOther(request: IncomingMessage, response: ServerResponse, options: PublicServerOptions): void {
  if (request.url === "/healthz") {
    const ready = options.ready?.() ?? true;
    response.writeHead(ready ? 200 : 503, { "content-type": "text/plain" }).end(ready ? "ok\n" : "not ready\n");
    return;
  }
  response.writeHead(404, { "content-type": "application/json" });
  response.end(JSON.stringify({ code: "not_found", message: `nothing is served at ${request.method} ${request.url}` }));
}

async function listen(server: Server, address: Address, setting: string): Promise<number> {
  const text = formatAddress(address);
  return await new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new Error(`cannot listen on ${text}: is it in use? ${setting} changes it`, { cause }));
    });
    server.listen(address.port, address.host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : address.port);
    });
  });
}

/** Takes no new connections, ends streams, lets calls in hand end, closes. */
async function drain(server: Server, shutdown: AbortController): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  shutdown.abort(rpcError(Code.Unavailable, "the server is going away, please call again"));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), limits.drainTimeoutMs);
  await closed;
  clearTimeout(timer);
}
