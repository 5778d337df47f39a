import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ConnectRouter } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import { listen } from "../contract/listen.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createConnectHandler } from "./connect-handler.ts";
import { answerCors } from "./cors.ts";
import { createServerPipeline } from "./pipeline.ts";
import { createPublicPipeline } from "./public-pipeline.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes } from "./routes.ts";
import type { RunningServer } from "./serve.ts";

/** Bounds of the public server. */
const limits = {
  /** Also what a compressed body may grow to. */
  messageBytesMax: 1024 * 1024,
  timeoutMsMax: 5 * 60_000,
  connectionsMax: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  timeoutsCheckedEachMs: 5_000,
  /** For calls in hand to end. */
  drainTimeoutMs: 10_000,
  /** For their answers to leave. */
  closeTimeoutMs: 2_000,
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
 * Serves methods to the outside: Connect, gRPC-Web and JSON over HTTP/1.1 by Connect's handlers, which only speak the
 * protocols; their calls go through the same pipeline as everybody's.
 *
 * @throws ContractError if an option makes no sense; Error naming the address that is taken
 */
export async function servePublic(options: PublicServerOptions): Promise<RunningServer> {
  const { telemetry } = options;
  const routes = collectRoutes(options.routes);
  const validate = createRequestValidation([...routes.values()].map((route) => route.method));
  const pipeline = createServerPipeline({ telemetry, validate });
  let draining = false;
  const ready = (): boolean => !draining && (options.ready?.() ?? true);
  const handle = createConnectHandler(
    routes,
    {
      interceptors: [createPublicPipeline({ pipeline, routes, authenticate: options.authenticate })],
      readMaxBytes: limits.messageBytesMax,
      writeMaxBytes: 4 * limits.messageBytesMax,
      maxTimeoutMs: limits.timeoutMsMax,
      jsonOptions,
    },
    telemetry.logger,
  );
  const origins = new Set(options.corsOrigins);
  const { headersTimeoutMs, requestTimeoutMs, timeoutsCheckedEachMs } = limits;
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutsCheckedEachMs,
      // A peer that is gone without a word is noticed, though nothing is sent to it.
      keepAlive: true,
    },
    (request, response) => {
      if (answerCors(origins, request, response)) return;
      try {
        if (!handle(request, response)) answerOther(request, response, ready);
      } catch {
        answer(response, 400, "invalid_argument", "the request's path and Host make no URL");
      }
    },
  );
  server.maxConnections = limits.connectionsMax;
  const port = await listen(server, options.address, options.addressSetting);
  telemetry.logger.info("serving the public API", { address: formatAddress({ ...options.address, port }) });
  return {
    port,
    async [Symbol.asyncDispose]() {
      draining = true;
      await pipeline.drain(limits.drainTimeoutMs);
      await close(server);
    },
  };
}

function answerOther(request: IncomingMessage, response: ServerResponse, ready: () => boolean): void {
  if (request.url === "/healthz") {
    const [status, text] = ready() ? [200, "ok\n"] : [503, "not ready\n"];
    response.writeHead(status, { "content-type": "text/plain" }).end(text);
    return;
  }
  answer(response, 404, "not_found", `nothing is served at ${request.method} ${request.url}`);
}

function answer(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ code, message }));
}

/** Takes no new connections and closes each as soon as its last answer has left. */
async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), limits.closeTimeoutMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
