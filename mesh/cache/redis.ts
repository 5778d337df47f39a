import { Code, ConnectError } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { Redis } from "ioredis";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { isTraced } from "../data/statement.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";

export interface RedisOptions {
  /** redis://user:password@host:port/0, or rediss:// for TLS. */
  readonly url: string;
  readonly telemetry: Telemetry;
  /** How long one command may take; 150 ms by default. One that timed out may have run. */
  readonly commandTimeoutMs?: number;
  /** Commands under way at most, 2,000 by default; the next one fails at once. */
  readonly inFlightMax?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A connection to Redis that is kept up for ever, in the background. For what may be lost: caches, limits, carts, leaderboards. */
export interface RedisConnection extends AsyncDisposable {
  isReady(): boolean;
  /**
   * Names the server process that answers: another one after a restart or a failover, which may hold what this one has removed or lack
   * what it has stored. Undefined while it is away, "unknown" if it may not be asked (INFO).
   */
  serverId(): string | undefined;
  /**
   * Runs commands under a name ("cart.read": span if the caller is traced, duration always). No command is ever sent twice.
   *
   * @throws ConnectError UNAVAILABLE `REDIS_UNAVAILABLE`, at once or after commandTimeoutMs, when Redis is away, frozen or full;
   * Redis' own error if the command was wrong
   */
  run<T>(name: string, fn: (commands: Redis) => Promise<T>): Promise<T>;
  /** Calls fn each time the connection is made (again). */
  onReady(fn: () => void): void;
}

const reconnectDelayMinMs = 50;
const reconnectDelayMaxMs = 1_000;
const connectTimeoutMs = 2_000;
/** After so many timeouts in a row Redis counts as frozen: the connection is made anew, and until it works commands fail at once. */
const timeoutsInARowMax = 5;
const timeoutMessage = "Command timed out";
/** Redis is there but cannot serve: loading its data, out of memory, a replica, running a script. */
const unavailableReply = /^(LOADING|OOM|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS)\b/;

/** Opens a connection. Returns at once: whether Redis is there is no concern of a service's start. */
export function createRedis(options: RedisOptions): RedisConnection {
  const { url, telemetry, commandTimeoutMs = 150, inFlightMax = 2_000 } = options;
  const { clock = systemClock, random = Math.random } = options;
  const log = createTransitionLog(telemetry.logger, "redis is away", "redis is back");
  const durations = createDurationHistogram(
    telemetry.meter,
    "db.client.operation.duration",
    "How long a named statement took, waiting for a connection included",
  );
  const client = new Redis(url, {
    commandTimeout: commandTimeoutMs,
    connectTimeout: connectTimeoutMs,
    // An answer that is not there may have been lost on its way back: sent again, INCR would count twice.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(reconnectDelayMaxMs, reconnectDelayMinMs * attempt) * (0.5 + random() / 2),
  });
  let inFlight = 0;
  let timeoutsInARow = 0;
  let disposed = false;
  let serverId: string | undefined;
  const readyListeners: (() => void)[] = [];
  // Without a listener an "error" event would end the process.
  client.on("error", (error) => disposed || log.failed(error));
  client.on("ready", async () => {
    timeoutsInARow = 0;
    try {
      serverId = await identify(client);
    } catch {
      // Who cannot say who he is within the time of a command is no more ready than who cannot be reached.
      if (client.status === "ready") client.disconnect(true);
      return;
    }
    log.worked();
    for (const listener of readyListeners) listener();
  });
  client.on("close", () => {
    serverId = undefined;
  });
  const isReady = () => client.status === "ready" && serverId !== undefined;

  const gauge = telemetry.meter.createObservableGauge("weft.redis.connected", { description: "1 while Redis answers" });
  const observe: Parameters<typeof gauge.addCallback>[0] = (result) => result.observe(isReady() ? 1 : 0);
  gauge.addCallback(observe);

  const send = async <T>(name: string, fn: (commands: Redis) => Promise<T>): Promise<T> => {
    if (inFlight >= inFlightMax) throw unavailable(name, new Error(`${inFlightMax} commands under way (inFlightMax)`));
    inFlight += 1;
    try {
      const answer = await fn(client);
      timeoutsInARow = 0;
      return answer;
    } catch (error) {
      if (!isAway(error)) throw error;
      if ((error as Error).message === timeoutMessage) {
        timeoutsInARow += 1;
        if (timeoutsInARow === timeoutsInARowMax) client.disconnect(true);
      }
      if (!disposed) log.failed(error);
      throw unavailable(name, error);
    } finally {
      inFlight -= 1;
    }
  };

  return {
    isReady,
    serverId: () => serverId,
    onReady: (fn) => void readyListeners.push(fn),
    async run(name, fn) {
      const attributes: Record<string, string> = { "db.system.name": "redis", "db.operation.name": name };
      const startedMs = clock.monotonic();
      const work = () => send(name, fn);
      try {
        return await (isTraced() ? telemetry.span(name, { kind: SpanKind.CLIENT, attributes }, work) : work());
      } catch (error) {
        attributes["error.type"] = error instanceof ConnectError ? "unavailable" : "reply";
        throw error;
      } finally {
        durations.record((clock.monotonic() - startedMs) / 1000, attributes);
      }
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      gauge.removeCallback(observe);
      client.disconnect();
    },
  };
}

/** @throws Error if the connection is gone or does not answer */
async function identify(client: Redis): Promise<string> {
  const info = await client.info("server").catch((error: unknown) => {
    if (isAway(error)) throw error;
    return "";
  });
  return /^run_id:(\w+)/m.exec(info)?.[1] ?? "unknown";
}

function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "ReplyError" ? unavailableReply.test(error.message) : !(error instanceof TypeError);
}

function unavailable(name: string, cause: unknown): ConnectError {
  return rpcError(Code.Unavailable, `${name}: Redis is not available`, {
    reason: "REDIS_UNAVAILABLE",
    domain: "weft",
    cause,
  });
}
