import type { Client } from "@grpc/grpc-js";
import type { Clock } from "../contract/clock.ts";

/**
 * How long a connection takes new calls. Below the age at which the server cuts it (10 minutes, less a tenth) by more
 * than the longest deadline of a unary call (5 minutes), so that no call is in hand then: the server's GOAWAY would fail
 * those under way (grpc-node#3068) and refuse those that cross it.
 */
const connectionAgeMaxMs = 3.5 * 60_000;

/** The connections to one address: one for new calls, those before it until their last call has ended. */
export interface Connections {
  /** The client for one call, which releases it when it has ended. */
  take(): { readonly client: Client; readonly release: () => void };
  close(): void;
}

interface Connection {
  readonly client: Client;
  readonly openedAt: number;
  calls: number;
}

/** Creates connections that are replaced before the server ends them: who is at the other end is proved anew each time. */
export function createConnections(open: () => Client, clock: Clock): Connections {
  const retired = new Set<Connection>();
  let current: Connection | undefined;

  const closeIfUnused = (connection: Connection): void => {
    if (connection.calls === 0 && retired.delete(connection)) connection.client.close();
  };
  const connect = (): Connection => {
    if (current) {
      retired.add(current);
      closeIfUnused(current);
    }
    current = { client: open(), openedAt: clock.monotonic(), calls: 0 };
    return current;
  };

  return {
    take() {
      const old = current === undefined || clock.monotonic() - current.openedAt >= connectionAgeMaxMs;
      const connection = old || current === undefined ? connect() : current;
      connection.calls += 1;
      const release = (): void => {
        connection.calls -= 1;
        closeIfUnused(connection);
      };
      return { client: connection.client, release };
    },
    close() {
      for (const { client } of [...retired, ...(current ? [current] : [])]) client.close();
      retired.clear();
      current = undefined;
    },
  };
}
