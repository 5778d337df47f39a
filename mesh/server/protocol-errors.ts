import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextKey,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Logger } from "../telemetry/logger.ts";
import { malformed } from "./malformed.ts";
import { publicError } from "./public-error.ts";
import type { Route } from "./routes.ts";

/** What becomes known of a call from outside while Connect handles it. */
export interface PublicCall {
  /** IP address of the caller; undefined once the connection is gone. */
  readonly clientAddress?: string | undefined;
  /** Under which logs and traces know the call; undefined until it has entered the pipeline. */
  requestId?: string;
  /** Aborted by Connect with the error that it answers. */
  signal?: AbortSignal;
  /** What to answer instead. */
  answer?: ConnectError;
}

export const publicCallKey: ContextKey<PublicCall> = createContextKey<PublicCall>({});

/** Context values for one request. */
export function publicContextValues(clientAddress: string | undefined): ContextValues {
  return createContextValues().set(publicCallKey, { clientAddress });
}

/** Connect's gate, used to see what it makes of a request. */
export function watchRequest({ values, signal }: HandlerContext): void {
  values.get(publicCallKey).signal = signal;
}

/**
 * A router's handlers, corrected where they answer by themselves, outside of the pipeline. A message that cannot be decoded it calls an
 * internal error of ours, with the decoder's words; an answer that cannot be encoded it shows to the caller and to
 * nobody else. The right answer is written in the caller's own protocol by the same handlers of Connect: by their gate,
 * which ends a call before its body is read.
 */
export function correctedHandlers(
  router: ConnectRouter,
  routes: ReadonlyMap<string, Route>,
  logger: Logger,
): UniversalHandler[] {
  const answering = createConnectRouter({
    requestGate: ({ values }) => {
      throw values.get(publicCallKey).answer;
    },
  });
  mountRoutes(answering, routes);
  const answerers = new Map(answering.handlers.map((handler) => [handler.requestPath, handler]));
  return router.handlers.map((handler) => corrected(handler, answerers.get(handler.requestPath) ?? handler, logger));
}

/** Mounts collected routes on another router. */
export function mountRoutes(router: ConnectRouter, routes: ReadonlyMap<string, Route>): void {
  for (const { spec } of routes.values()) router.rpc(spec.method, spec.impl as never);
}

function corrected(handler: UniversalHandler, answerer: UniversalHandler, logger: Logger): UniversalHandler {
  const handle = async (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> => {
    const response = await handler(request);
    const call = request.contextValues?.get(publicCallKey);
    const error: unknown = call?.signal?.reason;
    if (!call || !isOfConnect(error, call)) return response;
    if (call.requestId === undefined) {
      call.answer = malformed(handler.method.input, error);
    } else {
      const method = `${handler.service.typeName}/${handler.method.name}`;
      logger.error(`${method}: the answer cannot be encoded`, { method, trace_id: call.requestId, error });
      call.answer = publicError(ConnectError.from(error), call.requestId);
    }
    return await answerer(request);
  };
  return Object.assign(handle, handler);
}

/** Whether Connect made an internal error of a request by itself, before the pipeline or after it. */
function isOfConnect(error: unknown, { requestId }: PublicCall): boolean {
  if (error instanceof ConnectError) return error.code === Code.Internal && !isOurs(error);
  // What its decoders throw, that of a GET's base64 for one. Later it is no more than the end of a call.
  return error instanceof Error && requestId === undefined;
}

/** Whether it went through the pipeline, which has logged it and made it fit for outside. */
function isOurs(error: ConnectError): boolean {
  return error.metadata.has("x-request-id");
}
