import { cors } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./public-page.ts";

const preflightMaxAgeSeconds = 7_200;
const allowedHeaders = [...cors.allowedHeaders, "Authorization", "Idempotency-Key", "Traceparent"].join(", ");
const exposedHeaders = [...cors.exposedHeaders, "X-Request-Id"].join(", ");

/**
 * Lets pages of the given origins call this server ("https://shop.example"). Answers a preflight itself.
 *
 * @returns true if the request is answered
 */
export function answerCors(origins: ReadonlySet<string>, request: HttpRequest, response: HttpResponse): boolean {
  const { origin } = request.headers;
  const preflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
  // Of an answer to nobody's page too: a cache must not hand it to a page.
  response.setHeader("Vary", "Origin");
  const allowed = origin !== undefined && origins.has(origin);
  if (allowed) {
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", exposedHeaders);
  }
  if (!preflight) return false;
  if (allowed) {
    response.setHeader("Access-Control-Allow-Methods", cors.allowedMethods.join(", "));
    response.setHeader("Access-Control-Allow-Headers", allowedHeaders);
    response.setHeader("Access-Control-Max-Age", preflightMaxAgeSeconds);
  }
  response.statusCode = allowed ? 204 : 403;
  response.end();
  return true;
}
