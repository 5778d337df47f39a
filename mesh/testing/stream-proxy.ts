import { readFile } from "node:fs/promises";
import {
  type ClientHttp2Session,
  connect,
  constants,
  createSecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface StreamProxyOptions {
  /** Where the certificates of each name are. */
  readonly certificates: string;
  /** Whom it stands for, to the client: the called service. */
  readonly server: string;
  /** Whom it stands for, to the server: the calling service. */
  readonly client: string;
  /** Address of the server. */
  readonly upstream: string;
}

/** A proxy that knows HTTP/2, as those in front of a service do: it ends connections on both sides and hands on streams. */
export interface StreamProxy extends AsyncDisposable {
  readonly address: string;
  /** Streams that were opened, by path. */
  readonly opened: Map<string, number>;
  /** Resets streams that last longer. Infinity at first. */
  streamMaxMs: number;
}

/** Starts a proxy on a free port. */
export async function startStreamProxy(options: StreamProxyOptions): Promise<StreamProxy> {
  const server = createSecureServer({ ...(await identity(options, options.server)), requestCert: true });
  const upstream: ClientHttp2Session = connect(`https://${options.upstream}`, {
    ...(await identity(options, options.client)),
    checkServerIdentity: () => undefined,
  });
  // Ends with the server under test.
  upstream.on("error", () => undefined);
  server.on("sessionError", () => undefined);
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  const opened = new Map<string, number>();
  const proxy = { streamMaxMs: Number.POSITIVE_INFINITY };
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const path = headers[":path"] ?? "";
    opened.set(path, (opened.get(path) ?? 0) + 1);
    handOn(upstream, stream, headers, proxy.streamMaxMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(proxy, {
    address: `127.0.0.1:${port}`,
    opened,
    async [Symbol.asyncDispose]() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function handOn(
  upstream: ClientHttp2Session,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  maxMs: number,
): void {
  const onward = upstream.request(headers as OutgoingHttpHeaders);
  const reset = (): void => {
    onward.close(constants.NGHTTP2_CANCEL);
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  };
  const timer = Number.isFinite(maxMs) ? setTimeout(reset, maxMs) : undefined;
  stream.on("close", () => {
    clearTimeout(timer);
    onward.close(constants.NGHTTP2_CANCEL);
  });
  stream.on("error", () => undefined);
  onward.on("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  let trailers: OutgoingHttpHeaders = {};
  onward.on("trailers", (received) => {
    trailers = received;
  });
  onward.on("response", (received, flags) => {
    if (stream.destroyed) return;
    if (flags & constants.NGHTTP2_FLAG_END_STREAM) stream.respond(received, { endStream: true });
    else {
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      stream.respond(received, { waitForTrailers: true });
      onward.pipe(stream);
    }
  });
  stream.pipe(onward);
}

async function identity({ certificates }: StreamProxyOptions, name: string) {
  const read = (file: string): Promise<Buffer> => readFile(join(certificates, name, file));
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  return { ca, cert, key };
}
