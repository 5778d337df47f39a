import { type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type { Logger } from "../telemetry/logger.ts";
import { correctedHandlers, mountRoutes, publicContextValues, watchRequest } from "./protocol-errors.ts";
import type { HttpRequest, HttpResponse } from "./public-page.ts";
import type { Route } from "./routes.ts";
import { writeAnswer } from "./write-answer.ts";

/**
 * Answers a request for a method; false if its path names none.
 *
 * @throws Error if path and Host make no URL
 */
export type ConnectHandler = (
  request: HttpRequest,
  response: HttpResponse,
  clientAddress: string | undefined,
) => boolean;

/**
 * Creates what speaks Connect's protocols over Node's HTTP, of either version. connect-node has an adapter that does the
 * same; it writes each caller who leaves to the console, as an internal error.
 */
export function createConnectHandler(
  routes: ReadonlyMap<string, Route>,
  options: ConnectRouterOptions,
  logger: Logger,
): ConnectHandler {
  const router = createConnectRouter({
    ...options,
    acceptCompression: [compressionGzip, compressionBrotli],
    requestGate: watchRequest,
  });
  mountRoutes(router, routes);
  const handlers = new Map(
    correctedHandlers(router, routes, logger).map((handler) => [handler.requestPath, handler] as const),
  );
  return (request, response, clientAddress) => {
    const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) return false;
    const values = publicContextValues(clientAddress);
    const received = universalRequestFromNodeRequest(request, response, undefined, values);
    handler(received)
      .then((answer) => writeAnswer(answer, response))
      .catch((error: unknown) => {
        logger.debug("an answer was not delivered", { method: handler.requestPath, error });
        response.destroy();
      });
    return true;
  };
}
