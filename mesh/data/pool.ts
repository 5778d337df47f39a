import mysql from "mysql2/promise";
import { bounded } from "./bounded.ts";
import { databaseUnavailable, isUnavailable, mapDriverError, poolExhausted } from "./errors.ts";

export interface PoolOptions {
  /** mysql://user:password@host:port/schema */
  readonly url: string;
  /** Connections at most, for each use. */
  readonly poolSize: number;
  /** Callers that may wait for a connection at most, for each use. */
  readonly queueLengthMax: number;
  /** How long one waits at most, making a new connection included. */
  readonly acquireTimeoutMs: number;
  /** The server's own net under a statement that nobody waits for any more. */
  readonly statementTimeoutMs: number;
}

/** A connection lent out: exactly one of the two is to be called, once; later calls do nothing. */
export interface Lease {
  readonly connection: mysql.PoolConnection;
  /** Back to the pool, in a known state. */
  release(): void;
  /** Closed: its state is unknown. */
  destroy(): void;
}

/**
 * What a connection is for. One for transactions does not commit by itself, so that a transaction begins with its first statement: START
 * TRANSACTION would be one more round trip in each.
 */
export type Use = "statements" | "transactions";

/** Connections, bounded in number, in waiters and in waiting time. */
export interface ConnectionPool {
  /** A connection for transactions must be given back with none open. */
  acquire(statement: string, use: Use): Promise<Lease>;
  /** "mariadb" or "mysql", as the server says; "mariadb" before it has said anything. */
  system(): "mariadb" | "mysql";
  /** Whether the last attempt to get a connection found the database there. */
  isReachable(): boolean;
  counts(): { readonly used: number; readonly idle: number; readonly waiting: number };
  end(): Promise<void>;
}

/** Prepared statements a connection keeps at most; it has some tens. All connections together stay below the server's max_prepared_stmt_count (16,382). */
const preparedStatementsMax = 200;
/** A row lock is waited for this long instead of the server's 50 s: callers have deadlines, and a retry is jittered. */
const lockWaitTimeoutS = 3;

export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const { poolSize, acquireTimeoutMs } = options;
  const open = (): mysql.Pool =>
    mysql.createPool({
      uri: options.url,
      connectionLimit: poolSize,
      queueLimit: options.queueLengthMax,
      connectTimeout: 5 * acquireTimeoutMs,
      charset: "utf8mb4_unicode_ci",
      timezone: "Z",
      supportBigNumbers: true,
      bigNumberStrings: true,
      maxPreparedStatements: preparedStatementsMax,
      // A stack captured for each statement; what failed, its name says.
      trace: false,
    });
  const pools: Readonly<Record<Use, mysql.Pool>> = { statements: open(), transactions: open() };
  /** Of each connection seen: what is to be called when it is gone. */
  const known = new WeakMap<object, () => void>();
  const used: Record<Use, number> = { statements: 0, transactions: 0 };
  let opened = 0;
  let waiting = 0;
  let system: "mariadb" | "mysql" = "mariadb";
  let reachable = true;

  const prepare = async (connection: mysql.PoolConnection, use: Use) => {
    const core = connection.connection;
    if (known.has(core)) return;
    const onGone = once(() => {
      opened -= 1;
    });
    opened += 1;
    known.set(core, onGone);
    // Stays for good: an "error" event without a listener would end the process.
    core.on("error", onGone).on("end", onGone);
    try {
      await connection.query(sessionSettings(options.statementTimeoutMs, use));
      const [rows] = await connection.query<mysql.RowDataPacket[]>("SELECT VERSION() AS version");
      system = String(rows[0]?.version).includes("MariaDB") ? "mariadb" : "mysql";
    } catch (error) {
      close(connection);
      throw error;
    }
  };

  const close = (connection: mysql.PoolConnection) => {
    known.get(connection.connection)?.();
    connection.destroy();
  };

  const lend = (connection: mysql.PoolConnection, use: Use): Lease => {
    used[use] += 1;
    const end = once((how: () => void) => {
      used[use] -= 1;
      how();
    });
    return { connection, release: () => end(() => connection.release()), destroy: () => end(() => close(connection)) };
  };

  const onLimit = (statement: string, use: Use) =>
    used[use] < poolSize
      ? databaseUnavailable(`${statement}: no new connection within ${acquireTimeoutMs} ms`)
      : poolExhausted(
          `${statement}: all ${poolSize} connections stayed busy for ${acquireTimeoutMs} ms`,
          "acquireTimeoutMs",
        );

  return {
    async acquire(statement, use) {
      waiting += 1;
      try {
        const connection = await bounded<mysql.PoolConnection>(
          {
            limitMs: acquireTimeoutMs,
            onLimit: () => onLimit(statement, use),
            // It arrives late: back to the pool, for the next.
            onAbandon: (late) => void late.then((connection) => connection.release()).catch(() => {}),
          },
          async () => {
            const connection = await pools[use].getConnection();
            await prepare(connection, use);
            return connection;
          },
        );
        reachable = true;
        return lend(connection, use);
      } catch (cause) {
        const error = mapDriverError(cause, statement);
        if (isUnavailable(error)) reachable = false;
        throw error;
      } finally {
        waiting -= 1;
      }
    },
    system: () => system,
    isReachable: () => reachable,
    counts() {
      const inUse = used.statements + used.transactions;
      return { used: inUse, idle: Math.max(0, opened - inUse), waiting };
    },
    async end() {
      await Promise.all([pools.statements.end(), pools.transactions.end()]);
    },
  };
}

/**
 * READ COMMITTED, because the default REPEATABLE READ locks gaps: the outbox relay's locking scan for unpublished rows would hold
 * up every transaction that appends one. What must not change under a transaction is locked, or checked in the UPDATE itself
 * (`... AND quantity >= ?`). innodb_snapshot_isolation only concerns REPEATABLE READ and so changes nothing here.
 *
 * MySQL reads past M! comments, MariaDB past those for versions from 5.7 on.
 */
function sessionSettings(statementTimeoutMs: number, use: Use): string {
  const autocommit = use === "transactions" ? 0 : 1;
  return [
    `SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = ${lockWaitTimeoutS}, autocommit = ${autocommit}`,
    `/*M! , tx_isolation = 'READ-COMMITTED', max_statement_time = ${statementTimeoutMs / 1000} */`,
    `/*!80000 , transaction_isolation = 'READ-COMMITTED', max_execution_time = ${statementTimeoutMs} */`,
  ].join(" ");
}

function once<A extends unknown[]>(fn: (...args: A) => void): (...args: A) => void {
  let called = false;
  return (...args) => {
    if (called) return;
    called = true;
    fn(...args);
  };
}
