import type { NatsConnection } from "nats";
import type { Random } from "../contract/clock.ts";
import { waitFor } from "../events/backoff.ts";
import { dial } from "../events/dial.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";

export interface LinkOptions {
  /** nats://host:port */
  readonly url: string;
  readonly service: string;
  readonly telemetry: Telemetry;
  readonly random?: Random;
}

/** A connection to NATS that is kept up for ever, in the background. Nobody waits for it. */
export interface Link extends AsyncDisposable {
  isUp(): boolean;
  /**
   * Calls fn when the connection is up, at once if it is, and each time that it is up again: always the same one, whose
   * subscriptions live on.
   */
  whenUp(fn: (connection: NatsConnection) => void): Disposable;
}

const closeTimeoutMs = 1_000;

/** Creates a link. Returns at once: whether NATS is there is no concern of a service's start. */
export function createLink({ url, service, telemetry, random = Math.random }: LinkOptions): Link {
  const closing = new AbortController();
  const log = createTransitionLog(
    telemetry.logger,
    "the registry is away: calls go on with the instances that are known",
    "the registry is back",
  );
  const listeners = new Set<(connection: NatsConnection) => void>();
  let connection: NatsConnection | undefined;
  let isUp = false;

  const up = (to: NatsConnection): void => {
    isUp = true;
    log.worked();
    for (const listener of listeners) listener(to);
  };
  const run = async (): Promise<void> => {
    connection = await dial(url, service, closing.signal, random, log.failed);
    if (connection === undefined) return;
    up(connection);
    for await (const status of connection.status()) {
      if (status.type === "reconnect") up(connection);
      if (status.type !== "disconnect") continue;
      isUp = false;
      if (!closing.signal.aborted) log.failed(new Error(`connection to ${status.server} lost`));
    }
    isUp = false;
  };

  const running = run();
  return {
    isUp: () => isUp,
    whenUp(fn) {
      const listener = (to: NatsConnection): void => fn(to);
      listeners.add(listener);
      if (isUp && connection) listener(connection);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      const timer = new AbortController();
      if (isUp) await Promise.race([connection?.flush().catch(() => {}), waitFor(closeTimeoutMs, timer.signal)]);
      timer.abort();
      closing.abort();
      await connection?.close();
      await running;
    },
  };
}
