import type { BatchObservableResult } from "@opentelemetry/api";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { StatementHook } from "../contract/statement-hook.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type ConnectionPool, createConnectionPool } from "./pool.ts";
import type { Database } from "./queryable.ts";
import { createObserve, createQueryable, isTraced, runOn, text, withName } from "./statement.ts";
import { withHook } from "./statement-hook.ts";
import { retryConflicts, runTransaction } from "./transaction.ts";

export interface DatabaseOptions {
  /** mysql://user:password@host:port/schema */
  readonly url: string;
  readonly telemetry: Telemetry;
  /** Connections at most, for transactions and for statements of their own each; 10 by default. */
  readonly poolSize?: number;
  /** Callers that may wait for a connection at most; the next one gets RESOURCE_EXHAUSTED at once. */
  readonly queueLengthMax?: number;
  /** How long a caller waits for a connection at most. */
  readonly acquireTimeoutMs?: number;
  /** How long one statement may take, whatever time its call has left. */
  readonly statementTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly onStatement?: StatementHook | undefined;
}

/** Time for connections to say goodbye when the database is disposed of. */
const endTimeoutMs = 2_000;
/** Time of one statement of a migration: an ALTER of a large table takes long. */
const scriptTimeoutMs = 3_600_000;
/** A DDL waits for readers of its table for a minute, then gives up rather than hold up all that queue behind it. */
const sessionLimits = "SET SESSION lock_wait_timeout = 60 /*M! , max_statement_time = 0 */";

/** Opens a pool for a schema on MariaDB 10.6+ or MySQL 8. Connects when first used. */
export function createDatabase(options: DatabaseOptions): Database {
  const { telemetry, statementTimeoutMs = 10_000, poolSize = 10, clock = systemClock, random = Math.random } = options;
  const { queueLengthMax = 200, acquireTimeoutMs = 1_000 } = options;
  const pool = createConnectionPool({
    url: options.url,
    poolSize,
    queueLengthMax,
    acquireTimeoutMs,
    statementTimeoutMs,
  });
  const stopMeasuring = measurePool(telemetry, pool, { poolSize, name: new URL(options.url).pathname.slice(1) });
  const observe = withHook(createObserve(telemetry, pool, clock), options.onStatement);
  const onHookError = (name: string, error: unknown) =>
    telemetry.logger.error("a hook after a commit failed", { transaction: name, error });
  const deps = { pool, observe, random, statementTimeoutMs, onHookError };
  let disposed: Promise<void> | undefined;

  const single = createQueryable((name, statement) =>
    observe(name, () =>
      retryConflicts(name, random, async () => {
        const lease = await pool.acquire(name, "statements");
        try {
          return await runOn(lease, name, statementTimeoutMs, statement);
        } finally {
          lease.release();
        }
      }),
    ),
  );

  return {
    ...single,
    transaction(name, fn) {
      const run = () => retryConflicts(name, random, () => runTransaction(deps, name, fn));
      return isTraced() ? telemetry.span(`transaction ${name}`, {}, run) : run();
    },
    async session(name, fn) {
      const lease = await pool.acquire(name, "statements");
      const queryable = createQueryable((statementName, statement) =>
        observe(statementName, () => runOn(lease, statementName, scriptTimeoutMs, statement)),
      );
      const script = async (statementName: string, sql: string) => {
        await observe(statementName, () =>
          runOn(lease, statementName, scriptTimeoutMs, text(withName(statementName, sql))),
        );
      };
      try {
        await script(`${name}.setLimits`, sessionLimits);
        return await fn({ ...queryable, script });
      } finally {
        lease.destroy();
      }
    },
    [Symbol.asyncDispose]() {
      disposed ??= end(pool, stopMeasuring);
      return disposed;
    },
  };
}

async function end(pool: ConnectionPool, stopMeasuring: () => void): Promise<void> {
  stopMeasuring();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, endTimeoutMs);
  });
  // A connection that is gone cannot say goodbye: not worth an error, the process is on its way out.
  await Promise.race([pool.end().catch(() => {}), timeout]);
  clearTimeout(timer);
}

/** Gauges of OpenTelemetry's semantic conventions, and whether the database is there. */
function measurePool(telemetry: Telemetry, pool: ConnectionPool, of: { poolSize: number; name: string }): () => void {
  const { meter } = telemetry;
  const attributes = { "db.client.connection.pool.name": of.name };
  const count = meter.createObservableGauge("db.client.connection.count", { description: "Connections by state" });
  const max = meter.createObservableGauge("db.client.connection.max", { description: "Connections at most" });
  const pending = meter.createObservableGauge("db.client.connection.pending_requests", {
    description: "Callers that wait for a connection",
  });
  const reachable = meter.createObservableGauge("weft.database.connected", {
    description: "0 from a connection that could not be had to the next that could",
  });
  const gauges = [count, max, pending, reachable];
  const observe = (result: BatchObservableResult) => {
    const { used, idle, waiting } = pool.counts();
    result.observe(count, used, { ...attributes, "db.client.connection.state": "used" });
    result.observe(count, idle, { ...attributes, "db.client.connection.state": "idle" });
    result.observe(max, 2 * of.poolSize, attributes);
    result.observe(pending, waiting, attributes);
    result.observe(reachable, pool.isReachable() ? 1 : 0, attributes);
  };
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
