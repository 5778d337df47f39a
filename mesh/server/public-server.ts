import { Code, type ConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { rpcError } from "../contract/errors.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { clientAddress, type TrustedProxies } from "./client-address.ts";
import { answerCors } from "./cors.ts";
import { createServerPipeline } from "./pipeline.ts";
import { clientAddressKey, type EntryOptions, enterPipeline } from "./public-entry.ts";
import { listenPublic } from "./public-listener.ts";
import { answerPage, type HttpRequest, type Pages } from "./public-page.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes } from "./routes.ts";
import type { RunningServer } from "./serve.ts";

/** Bounds of a call. */
const limits = {
  /** Also what a compressed body may grow to. */
  messageBytesMax: 1024 * 1024,
  timeoutMsMax: 5 * 60_000,
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
  readonly authenticate: EntryOptions["authenticate"];
  /** Origins of pages that may call: "https://shop.example". */
  readonly corsOrigins: readonly string[];
  /** Whose X-Forwarded-For is believed; nobody's by default. */
  readonly isTrustedProxy?: TrustedProxies;
  /** What is served beside the methods. */
  readonly pages?: Pages;
  readonly ready?: () => boolean;
}

/**
 * Serves methods to the outside on one port: gRPC, gRPC-Web, Connect (GET too, for methods without side effects) and JSON,
 * over HTTP/1.1 and h2c, by connect-node, which only speaks the protocols; its calls go through the same pipeline as
 * everybody's. Pages beside them.
 */
export async function servePublic(options: PublicServerOptions): Promise<RunningServer> {
  const { telemetry, authenticate, isTrustedProxy = () => false } = options;
  const routes = collectRoutes(options.routes);
  const validate = createRequestValidation([...routes.values()].map((route) => route.method));
  const pipeline = createServerPipeline({ telemetry, validate });
  const shutdown = new AbortController();
  const pages = { pages: withHealth(options), logger: telemetry.logger };
  const handler = connectNodeAdapter({
    routes: options.routes,
    interceptors: [enterPipeline({ pipeline, routes, authenticate, shutdown: shutdown.signal })],
    readMaxBytes: limits.messageBytesMax,
    writeMaxBytes: 4 * limits.messageBytesMax,
    maxTimeoutMs: limits.timeoutMsMax,
    jsonOptions,
    contextValues: (request) => createContextValues().set(clientAddressKey, addressOf(request, isTrustedProxy)),
    fallback: (request, response) => void answerPage(request, response, pages),
  });
  const origins = new Set(options.corsOrigins);
  const listener = await listenPublic({
    address: options.address,
    addressSetting: options.addressSetting,
    onRequest: (request, response) => {
      if (!answerCors(origins, request, response)) handler(request, response);
    },
    isEndless: ({ url = "" }) => {
      const kind = routes.get(url.slice(1))?.policy.kind;
      return kind === "bidi_streaming" || kind === "client_streaming";
    },
  });
  const { port } = listener;
  telemetry.logger.info("serving the public API", { address: formatAddress({ ...options.address, port }) });
  return {
    port,
    async [Symbol.asyncDispose]() {
      const drained = listener.drain();
      shutdown.abort(rpcError(Code.Unavailable, "the server is going away, please call again"));
      await drained;
    },
  };
}

function addressOf(request: HttpRequest, isTrusted: TrustedProxies): string | undefined {
  const forwardedFor = request.headers["x-forwarded-for"];
  return clientAddress(request.socket?.remoteAddress, forwardedFor?.toString(), isTrusted);
}

/** The pages, and GET /healthz for load balancers. */
function withHealth({ pages, ready = () => true }: PublicServerOptions): Pages {
  return (request) => {
    if (request.path !== "/healthz") return pages?.(request);
    const status = ready() ? 200 : 503;
    return { status, headers: { "content-type": "text/plain" }, body: status === 200 ? "ok\n" : "not ready\n" };
  };
}
