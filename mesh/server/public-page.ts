import type { IncomingHttpHeaders } from "node:http";
import type { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Logger } from "../telemetry/logger.ts";

/** A request of either HTTP version, and what answers it. */
export type HttpRequest = Parameters<ReturnType<typeof connectNodeAdapter>>[0];
export type HttpResponse = Parameters<ReturnType<typeof connectNodeAdapter>>[1];

/** A GET or HEAD of something that is no method: a page, a picture. */
export interface PageRequest {
  /** Percent-encoded as it came, without dot segments: "/pictures/CUP.svg". */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface PageResponse {
  readonly status: number;
  /** Names in lower case. With an etag, a caller who has that version is told so and sent nothing. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Answers what is no method; undefined if there is nothing at the path. */
export type Pages = (request: PageRequest) => PageResponse | undefined | Promise<PageResponse | undefined>;

export interface PageOptions {
  readonly pages: Pages;
  readonly logger: Logger;
}

/** Answers a request that is for no method. */
export async function answerPage(request: HttpRequest, response: HttpResponse, options: PageOptions): Promise<void> {
  const { method = "", url = "/" } = request;
  const page = await findPage(request, options);
  const head = method === "HEAD";
  if (page === undefined) return answerError(response, 404, "not_found", `nothing is served at ${method} ${url}`);
  if (page.status === 200 && isKnown(page, request.headers["if-none-match"])) {
    const { "content-type": _type, "content-encoding": _encoding, ...headers } = page.headers;
    return send(response, 304, headers);
  }
  const length = String(Buffer.byteLength(page.body));
  send(response, page.status, { ...page.headers, "content-length": length }, head ? undefined : page.body);
}

/** Answers as Connect answers an error, where no method is known. */
export function answerError(response: HttpResponse, status: number, code: string, message: string): void {
  send(response, status, { "content-type": "application/json" }, JSON.stringify({ code, message }));
}

async function findPage(request: HttpRequest, { pages, logger }: PageOptions): Promise<PageResponse | undefined> {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const target = URL.parse(request.url ?? "/", "http://edge.invalid");
  if (target === null) return undefined;
  try {
    return await pages({ path: target.pathname, query: target.searchParams, headers: request.headers });
  } catch (error) {
    logger.error("a page could not be served", { path: target.pathname, error });
    return { status: 500, headers: { "content-type": "text/plain" }, body: "internal error\n" };
  }
}

/** Whether the caller has this very version. @see https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match */
function isKnown({ headers: { etag } }: PageResponse, ifNoneMatch: string | undefined): boolean {
  if (etag === undefined || ifNoneMatch === undefined) return false;
  const bare = (tag: string): string => tag.trim().replace(/^W\//, "");
  return ifNoneMatch.split(",").some((tag) => tag.trim() === "*" || bare(tag) === bare(etag));
}

function send(
  response: HttpResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body?: string | Uint8Array,
): void {
  // Not writeHead(status, headers): its types differ between the two versions of HTTP.
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  if (body === undefined) response.end();
  else response.end(body);
}
