import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface HttpRequest {
  readonly method: string;
  /** Without the query, e.g. `/v1/ledger`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Unzipped. */
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  /** Bytes are sent as they are; anything else as JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, or "cut" to close the connection without one. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer | "cut">;

export interface HttpServerOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** Larger bodies are refused with 413. */
  readonly bodyBytesMax: number;
  readonly handle: HttpHandler;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** A request that is refused: the handler throws it, the server answers with it. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A small HTTP server on 127.0.0.1 for the outside parties: whole bodies in, JSON out. */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answer(request, options).then(
      (result) => send(response, result),
      (error: unknown) => send(response, refusalOf(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The body as JSON; a Refusal when it is none. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new Refusal(400, "invalid_json", "the body is not JSON");
  }
}

/** An integer of the query between 1 and `max`, `fallback` if it is absent or something else. */
export function queryLimit(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const value = Number(query.get(name) ?? fallback);
  return Number.isInteger(value) && value > 0 ? Math.min(value, max) : fallback;
}

async function answer(request: IncomingMessage, options: HttpServerOptions): Promise<HttpAnswer | "cut"> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://outside");
  const raw = await readBody(request, options.bodyBytesMax);
  const zipped = request.headers["content-encoding"] === "gzip";
  return options.handle({
    method: request.method ?? "GET",
    path: pathname,
    query: searchParams,
    headers: request.headers,
    // The bound holds for what comes out as well: a small body may unzip to a very large one.
    body: zipped ? gunzipSync(raw, { maxOutputLength: options.bodyBytesMax }) : raw,
  });
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) throw new Refusal(413, "body_too_large", `the body is over ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: HttpAnswer | "cut"): void {
  if (answer === "cut") {
    response.destroy();
    return;
  }
  const { status, body, headers } = answer;
  if (body instanceof Uint8Array) {
    response.writeHead(status, { "content-length": String(body.length), ...headers }).end(body);
    return;
  }
  const text = Buffer.from(JSON.stringify(body));
  const all = { "content-type": "application/json", "content-length": String(text.length), ...headers };
  response.writeHead(status, all).end(text);
}

function refusalOf(error: unknown): HttpAnswer {
  if (error instanceof Refusal) {
    return { status: error.status, body: { error: { code: error.code, message: error.message } } };
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return { status: 500, body: { error: { code: "internal", message: "see the log" } } };
}
