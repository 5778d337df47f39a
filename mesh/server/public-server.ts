import type { ConnectRouter } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import { ContractError, keyRuleMissing } from "../contract/policy.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { clientAddress, type TrustedProxies } from "./client-address.ts";
import { createConnectHandler } from "./connect-handler.ts";
import { answerCors } from "./cors.ts";
import { createServerPipeline } from "./pipeline.ts";
import { listenPublic } from "./public-listener.ts";
import { answerError, answerPage, type HttpRequest, type Pages } from "./public-page.ts";
import { createPublicPipeline } from "./public-pipeline.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes } from "./routes.ts";
import type { RunningServer } from "./serve.ts";
import { createServerAdmission } from "./server-admission.ts";

/** Bounds of a call. */
const limits = {
  /** Also what a compressed body may grow to. */
  messageBytesMax: 1024 * 1024,
  timeoutMsMax: 5 * 60_000,
  /** For calls in hand to end. */
  drainTimeoutMs: 10_000,
};

/** Unknown fields are ignored, as protobuf's evolution needs; bytes that are no UTF-8 are refused, not replaced. */
const jsonOptions = { ignoreUnknownFields: true, textDecoder: new TextDecoder("utf-8", { fatal: true }) };

export interface PublicServerOptions {
  readonly address: Address;
  /** The setting that changes the address, for the error when it is taken. */
  readonly addressSetting: string;
  readonly routes: (router: ConnectRouter) => void;
  readonly telemetry: Telemetry;
  /** Verifies the caller's token; undefined if there is none. @throws ConnectError UNAUTHENTICATED if it is no good */
  readonly authenticate: (headers: Headers) => Promise<EndUser | undefined>;
  /** Origins of pages that may call: "https://shop.example". */
  readonly corsOrigins: readonly string[];
  /** Whose X-Forwarded-For is believed; nobody's by default. */
  readonly isTrustedProxy?: TrustedProxies;
  /** What is served beside the methods. */
  readonly pages?: Pages;
}

/**
 * Serves methods to the outside on one port: gRPC, gRPC-Web, Connect (GET too, for methods without side effects) and JSON,
 * over HTTP/1.1 and h2c, by Connect's handlers, which only speak the protocols; their calls go through the same pipeline
 * as everybody's. Pages beside them.
 *
 * @throws ContractError if an option makes no sense, or a method with side effects does not say where its idempotency key is; Error naming the
 * address that is taken
 */
export async function servePublic(options: PublicServerOptions): Promise<RunningServer> {
  const { telemetry, isTrustedProxy = () => false } = options;
  const routes = collectRoutes(options.routes);
  const methods = [...routes.values()].map((route) => route.method);
  const unsaid = keyRuleMissing(methods);
  if (unsaid.length > 0) throw new ContractError(unsaid);
  const validate = createRequestValidation(methods);
  const pipeline = createServerPipeline({ telemetry, validate, admission: createServerAdmission(telemetry, "public") });
  let draining = false;
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
  const pages = { pages: withHealth(options.pages, () => !draining), logger: telemetry.logger };
  const origins = new Set(options.corsOrigins);
  const listener = await listenPublic({
    address: options.address,
    addressSetting: options.addressSetting,
    onRequest: (request, response) => {
      if (answerCors(origins, request, response)) return;
      try {
        if (!handle(request, response, addressOf(request, isTrustedProxy))) void answerPage(request, response, pages);
      } catch {
        answerError(response, 400, "invalid_argument", "the request's path and Host make no URL");
      }
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
      draining = true;
      await pipeline.drain(limits.drainTimeoutMs);
      await listener.close();
    },
  };
}

function addressOf(request: HttpRequest, isTrusted: TrustedProxies): string | undefined {
  const forwardedFor = request.headers["x-forwarded-for"];
  return clientAddress(request.socket?.remoteAddress, forwardedFor?.toString(), isTrusted);
}

/** The pages, and GET /healthz for load balancers. */
function withHealth(pages: Pages | undefined, serving: () => boolean): Pages {
  return (request) => {
    if (request.path !== "/healthz") return pages?.(request);
    const [status, body] = serving() ? [200, "ok\n"] : [503, "draining\n"];
    return { status, headers: { "content-type": "text/plain" }, body };
  };
}
