import { type HttpAnswer, type HttpServer, queryLimit, Refusal, serveHttp } from "./outside/http.ts";
import { decodeTraces, type ReceivedSpan } from "./outside/otlp.ts";
import { portFrom, runOutsideParty } from "./outside/run.ts";
import { createTraceStore } from "./outside/traces.ts";

const BODY_BYTES_MAX = 8 * 1024 * 1024;
const TRACE_COUNT_MAX = 2_000;
const SPAN_COUNT_PER_TRACE_MAX = 1_000;
const LIST_LENGTH_MAX = 500;

/**
 * A receiver of traces, OTLP over HTTP with protobuf (opentelemetry.io/docs/specs/otlp), that keeps the last of them in memory:
 * `POST /v1/traces`, `GET /traces/:trace_id`, `GET /traces?limit=n`.
 */
export function startOtlpReceiver(options: { readonly port: number }): Promise<HttpServer> {
  const store = createTraceStore({ traceCountMax: TRACE_COUNT_MAX, spanCountPerTraceMax: SPAN_COUNT_PER_TRACE_MAX });
  return serveHttp({
    port: options.port,
    bodyBytesMax: BODY_BYTES_MAX,
    async handle({ method, path, query, body }): Promise<HttpAnswer> {
      if (method === "POST" && path === "/v1/traces") {
        store.add(decode(body));
        // An empty ExportTraceServiceResponse: everything was accepted.
        return { status: 200, body: Buffer.alloc(0), headers: { "content-type": "application/x-protobuf" } };
      }
      if (method === "GET" && path === "/health") return { status: 200, body: { status: "ok" } };
      if (method === "GET" && path === "/traces") {
        return { status: 200, body: { traces: store.list(queryLimit(query, "limit", 20, LIST_LENGTH_MAX)) } };
      }
      const [, , traceId] = /^(GET) \/traces\/([0-9a-f]{32})$/.exec(`${method} ${path}`) ?? [];
      if (traceId !== undefined) return { status: 200, body: { spans: store.spans(traceId) } };
      throw new Refusal(404, "not_found", `nothing at ${method} ${path}`);
    },
  });
}

function decode(body: Buffer): ReceivedSpan[] {
  try {
    return decodeTraces(body);
  } catch (error) {
    throw new Refusal(400, "invalid_protobuf", String(error));
  }
}

if (import.meta.main) {
  await runOutsideParty("otlp-receiver", () => startOtlpReceiver({ port: portFrom(process.env, "OTLP_PORT") }));
}
