import { connect, createServer, type Server, type Socket } from "node:net";
import { createPump, type Pump, type Verdict } from "./pump.ts";

/** What a link does to the bytes that go over it. */
export type LinkMode =
  | { readonly kind: "pass" }
  /** Each chunk arrives later, in order. */
  | { readonly kind: "latency"; readonly delayMs: number }
  /** Connections are reset: those that are there, and each new one with its first request. */
  | { readonly kind: "reset" }
  /** Connections are accepted and nothing passes, either way; what was sent arrives once the link is healed. */
  | { readonly kind: "blackhole" }
  /** Requests pass, replies are lost. A connection that has lost one is reset when the link is healed. */
  | { readonly kind: "oneWay" }
  | ReplyLost
  /** Nobody listens: connections are refused. */
  | { readonly kind: "closed" };

/** The reply to an exchange is lost after its request has passed, then the connection is reset. */
export interface ReplyLost {
  readonly kind: "replyLost";
  /** How many exchanges lose their reply; 1 if left out. The link passes everything afterwards. */
  readonly times?: number;
  /** Which of those that fit begins it, from 1; the next if left out. */
  readonly nth?: number;
  /** Which exchanges are meant, by their request; all if left out. */
  readonly fits?: (request: Buffer) => boolean;
  /**
   * How long replies are swallowed before the reset; 0 if left out: the first bytes back are the reply. Where many calls share a connection
   * (HTTP/2) the first bytes back may be another's.
   */
  readonly holdMs?: number;
}

export interface LinkCounts {
  /** Connections now open. */
  readonly connections: number;
  /** Of these, those that wait for a reply. */
  readonly waiting: number;
  /** Requests seen since the start; a request is what is sent after the last reply. */
  readonly exchanges: number;
  /** Exchanges that a mode other than "pass" has cut, held or delayed since it was set. */
  readonly hits: number;
}

/** One link, as a TCP proxy in this process: whoever is told `port` reaches `target` through it. */
export interface Link extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  mode(): LinkMode;
  /** Takes effect on connections that are there, too. */
  set(mode: LinkMode): Promise<void>;
  counts(): LinkCounts;
}

export interface LinkOptions {
  /** "order>mariadb" */
  readonly name: string;
  readonly port: number;
  readonly targetPort: number;
}

interface Connection {
  /** A request has passed and no reply yet. */
  open: boolean;
  /** This exchange is counted among the hits already. */
  counted: boolean;
  /** Bytes were swallowed: what follows makes no sense. */
  broken: boolean;
  readonly doomed: { fate: ReplyLost | undefined };
  readonly requests: Pump;
  readonly replies: Pump;
  reset(): void;
}

/** Starts a link that passes everything. */
export async function startLink(options: LinkOptions): Promise<Link> {
  const connections = new Set<Connection>();
  let mode: LinkMode = { kind: "pass" };
  let exchanges = 0;
  let hits = 0;
  let seen = 0;
  let server: Server | undefined;

  const hit = (connection: Connection): void => {
    if (!connection.counted) hits += 1;
    connection.counted = true;
  };
  const doom = (connection: Connection, fate: ReplyLost): void => {
    connection.doomed.fate = fate;
    hit(connection);
    if (seen - (fate.nth ?? 1) + 1 >= (fate.times ?? 1)) mode = { kind: "pass" };
  };

  const onRequest = (connection: Connection, chunk: Buffer): Verdict => {
    if (!connection.open) {
      exchanges += 1;
      connection.open = true;
      connection.counted = false;
    }
    switch (mode.kind) {
      case "latency":
        hit(connection);
        return { delayMs: mode.delayMs };
      case "blackhole":
        hit(connection);
        return "hold";
      case "reset":
      case "closed":
        hit(connection);
        connection.reset();
        return "drop";
      case "oneWay":
        hit(connection);
        return "pass";
      case "replyLost":
        if (mode.fits?.(chunk) ?? true) {
          seen += 1;
          if (seen >= (mode.nth ?? 1)) doom(connection, mode);
        }
        return "pass";
      case "pass":
        return "pass";
    }
  };

  const onReply = (connection: Connection): Verdict => {
    const { fate } = connection.doomed;
    if (fate !== undefined) {
      if (!connection.broken) setTimeout(() => connection.reset(), fate.holdMs ?? 0);
      connection.broken = true;
      return "drop";
    }
    if (mode.kind === "blackhole") return "hold";
    if (mode.kind === "oneWay") {
      connection.broken = true;
      return "drop";
    }
    connection.open = false;
    return mode.kind === "latency" ? { delayMs: mode.delayMs } : "pass";
  };

  const accept = (client: Socket): void => {
    const upstream = connect({ host: "127.0.0.1", port: options.targetPort });
    for (const socket of [client, upstream]) socket.setNoDelay(true);
    const reset = (): void => {
      connections.delete(connection);
      for (const socket of [client, upstream]) socket.resetAndDestroy();
      for (const pump of [connection.requests, connection.replies]) pump.close();
    };
    const connection: Connection = {
      ...{ open: false, counted: false, broken: false, doomed: { fate: undefined }, reset },
      requests: createPump(client, upstream, (chunk) => onRequest(connection, chunk)),
      replies: createPump(upstream, client, () => onReply(connection)),
    };
    connections.add(connection);
    // Whatever ends one side ends the other the same way: an error by a reset, the rest by closing.
    for (const socket of [client, upstream]) {
      socket.on("error", reset);
      socket.on("close", () => {
        if (client.destroyed && upstream.destroyed) connections.delete(connection);
        else if (socket.errored !== null || socket === client) reset();
      });
    }
  };

  const listen = async (): Promise<Server> => {
    const listening = createServer({ allowHalfOpen: true }, accept);
    await new Promise<void>((resolve, reject) => {
      listening.once("error", reject);
      listening.listen({ port: options.port, host: "127.0.0.1", exclusive: true }, resolve);
    });
    return listening;
  };
  const deafen = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
    for (const connection of [...connections]) connection.reset();
    await closed;
  };
  server = await listen();

  return {
    name: options.name,
    port: options.port,
    mode: () => mode,
    async set(wanted) {
      mode = wanted;
      seen = 0;
      if (wanted.kind !== "pass") hits = 0;
      for (const connection of [...connections]) {
        connection.counted = false;
        const cuts = wanted.kind === "reset" || wanted.kind === "closed";
        if (connection.open && (cuts || wanted.kind === "blackhole" || wanted.kind === "oneWay")) hit(connection);
        if (cuts || (connection.broken && wanted.kind !== "oneWay")) connection.reset();
        else if (wanted.kind !== "blackhole")
          for (const pump of [connection.requests, connection.replies]) pump.release();
      }
      if (wanted.kind === "closed") await deafen();
      else server ??= await listen();
    },
    counts() {
      const waiting = [...connections].filter(({ open }) => open).length;
      return { connections: connections.size, waiting, exchanges, hits };
    },
    [Symbol.asyncDispose]: deafen,
  };
}
