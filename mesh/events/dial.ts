import { connect, type NatsConnection } from "nats";
import type { Random } from "../contract/clock.ts";
import { backoffMs, waitFor } from "./backoff.ts";

const dialTimeoutMs = 3_000;
/** Between two attempts to reach NATS. */
export const reconnectBackoff = { initialMs: 100, maxMs: 1_000 };

/**
 * Connects for the first time, trying for ever. Not by the client's own `waitOnFirstConnect`: that cannot be stopped. From the
 * first connection on the client reconnects by itself.
 */
export async function dial(
  url: string,
  service: string,
  closing: AbortSignal,
  random: Random,
  onError: (error: unknown) => void,
): Promise<NatsConnection | undefined> {
  for (let failures = 1; !closing.aborted; failures += 1) {
    try {
      const connection = await connect({
        servers: url,
        name: service,
        timeout: dialTimeoutMs,
        maxReconnectAttempts: -1,
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: () => backoffMs(reconnectBackoff, 3, random),
        pingInterval: 5_000,
        maxPingOut: 2,
        noAsyncTraces: true,
      });
      if (!closing.aborted) return connection;
      await connection.close();
    } catch (error) {
      onError(error);
      await waitFor(backoffMs(reconnectBackoff, failures, random), closing);
    }
  }
  return undefined;
}
