import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  Http2ServerRequest,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";
import { listen } from "../contract/listen.ts";
import type { Address } from "../contract/settings.ts";
import type { HttpRequest, HttpResponse } from "./public-page.ts";

/** Bounds of what the outside can hold open. */
const defaultLimits = {
  connectionsMax: 10_000,
  /** Until the first bytes of a connection, and until the headers of a request, are there. */
  headersTimeoutMs: 10_000,
  /** Until the whole of a request is there. */
  requestTimeoutMs: 30_000,
  /** A connection in HTTP/2 without a stream. */
  idleTimeoutMs: 120_000,
  /** TCP finds out about a caller who has vanished. */
  keepAliveDelayMs: 30_000,
  streamsPerConnectionMax: 256,
  headerBytesMax: 16 * 1024,
  /** Megabytes that a connection's streams may hold in all. */
  sessionMemoryMbMax: 10,
  /** How often slow and idle connections in HTTP/1.1 are looked for. */
  timeoutsCheckedEachMs: 5_000,
  /** For answers in hand to leave when it closes. */
  closeTimeoutMs: 2_000,
  idleCheckIntervalMs: 50,
};

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export interface PublicListenerOptions {
  readonly address: Address;
  /** The setting that changes the address, for the error when it is taken. */
  readonly addressSetting: string;
  readonly onRequest: (request: HttpRequest, response: HttpResponse) => void;
  /** Whether a request's body may go on for as long as its caller likes. */
  readonly isEndless: (request: HttpRequest) => boolean;
  /** For tests, which do not wait. */
  readonly limits?: Partial<Limits>;
}

type Limits = typeof defaultLimits;

/** A listening port. */
export interface PublicListener {
  readonly port: number;
  /** Takes no new connections and requests, lets the answers in hand leave, closes. */
  close(): Promise<void>;
}

/**
 * Listens on one port for HTTP/1.1 and for HTTP/2 without TLS whose caller knows that it speaks it ("prior knowledge",
 * h2c): the first bytes tell which. gRPC needs the one, browsers and curl the other.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113#name-http-2-connection-preface
 */
export async function listenPublic(options: PublicListenerOptions): Promise<PublicListener> {
  const limits = { ...defaultLimits, ...options.limits };
  const sniffing = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http1 = createHttp1(options, limits);
  const http2 = createHttp2(options, limits, sessions);

  // The HTTP/1.1 server is the one that listens, so that it keeps its own watch over slow and idle connections; what
  // speaks HTTP/2 is taken out before it looks.
  const [serveHttp1] = http1.listeners("connection");
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    sniffing.add(socket);
    socket.once("close", () => sniffing.delete(socket));
    sniff(socket, limits.headersTimeoutMs, (isHttp2) => {
      sniffing.delete(socket);
      if (!isHttp2 && serveHttp1) return Reflect.apply(serveHttp1, http1, [socket]);
      // HTTP/1.1 allows a caller to hang up its half and read on; in HTTP/2 that is a caller who has gone.
      socket.allowHalfOpen = false;
      http2.emit("connection", socket);
    });
  });

  return {
    port: await listen(http1, options.address, options.addressSetting),
    async close() {
      const closed = new Promise<void>((resolve) => http1.close(() => resolve()));
      for (const socket of sniffing) socket.destroy();
      for (const session of sessions) session.close();
      // A connection in HTTP/1.1 becomes idle with the end of its last call.
      const idle = setInterval(() => http1.closeIdleConnections(), limits.idleCheckIntervalMs);
      const late = setTimeout(() => {
        http1.closeAllConnections();
        for (const session of sessions) session.destroy();
      }, limits.closeTimeoutMs);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
    },
  };
}

function createHttp1({ onRequest }: PublicListenerOptions, limits: Limits): Http1Server {
  const server = createHttp1Server(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.timeoutsCheckedEachMs,
      keepAlive: true,
      keepAliveInitialDelay: limits.keepAliveDelayMs,
    },
    onRequest,
  );
  server.maxConnections = limits.connectionsMax;
  return server;
}

/** Keeps the open connections in `sessions`. */
function createHttp2(
  { onRequest, isEndless }: PublicListenerOptions,
  limits: Limits,
  sessions: Set<ServerHttp2Session>,
): Http2Server {
  const server = createHttp2Server(
    {
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        enablePush: false,
      },
      maxSessionMemory: limits.sessionMemoryMbMax,
    },
    (request, response) => {
      if (!isEndless(request)) boundRequestTime(request, limits.requestTimeoutMs);
      onRequest(request, response);
    },
  );
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    closeWhenIdle(session, limits.idleTimeoutMs);
  });
  // A caller who breaks off is no error of ours; unheard, it would end the process.
  server.on("sessionError", () => undefined);
  return server;
}

/** Reads as much of a new connection as tells which protocol it speaks, puts it back, and says which. */
function sniff(socket: Socket, timeoutMs: number, onKnown: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const giveUp = (): void => void socket.destroy();
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("readable", read).off("end", giveUp).off("error", giveUp).off("close", stop);
  };
  const read = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, preface.length);
    const isHttp2 = seen.subarray(0, length).equals(preface.subarray(0, length));
    if (isHttp2 && length < preface.length) return;
    stop();
    socket.unshift(seen);
    onKnown(isHttp2);
  };
  socket.on("readable", read).on("end", giveUp).on("error", giveUp).on("close", stop);
}

/** HTTP/1.1's server bounds the time of a request itself; HTTP/2's does not. */
function boundRequestTime(request: HttpRequest, timeoutMs: number): void {
  if (!(request instanceof Http2ServerRequest) || request.stream.endAfterHeaders) return;
  const { stream } = request;
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), timeoutMs);
  const stop = (): void => clearTimeout(timer);
  request.once("end", stop).once("close", stop);
}

function closeWhenIdle(session: ServerHttp2Session, timeoutMs: number): void {
  let open = 0;
  session.on("stream", (stream) => {
    open += 1;
    stream.once("close", () => {
      open -= 1;
    });
  });
  session.setTimeout(timeoutMs, () => {
    if (open === 0) session.close();
  });
}
