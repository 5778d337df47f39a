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
  /** The connection for one call, which releases it when it has ended. */
  take(): Connection;
  close(): void;
}

export interface Connection {
  readonly client: Client;
  /** A call has ended. */
  release(): void;
}

/** Creates connections that are replaced before the server ends them: who is at the other end is proved anew each time. */
export function createConnections(open: () => Client, clock: Clock): Connections {
  const retired = new Set<OpenConnection>();
  let current: OpenConnection | undefined;

  const connect = (): OpenConnection => {
    current?.retire();
    current = new OpenConnection(open(), clock.monotonic(), retired);
    return current;
  };

  return {
    take() {
      const old = current === undefined || clock.monotonic() - current.openedAt >= connectionAgeMaxMs;
      const connection = old || current === undefined ? connect() : current;
      connection.calls += 1;
      return connection;
    },
    close() {
      for (const { client } of [...retired, ...(current ? [current] : [])]) client.close();
      retired.clear();
      current = undefined;
    },
  };
}

class OpenConnection implements Connection {
  readonly client: Client;
  readonly openedAt: number;
  calls = 0;
  /** All that were replaced and have calls left. */
  readonly #retired: Set<OpenConnection>;

  constructor(client: Client, openedAt: number, retired: Set<OpenConnection>) {
    this.client = client;
    this.openedAt = openedAt;
    this.#retired = retired;
  }
  retire(): void {
    this.#retired.add(this);
    this.#closeIfUnused();
  }
  release(): void {
    this.calls -= 1;
    this.#closeIfUnused();
  }
  #closeIfUnused(): void {
    if (this.calls === 0 && this.#retired.delete(this)) this.client.close();
  }
}
