import { Code } from "@connectrpc/connect";
import { type Attributes, SpanKind, trace } from "@opentelemetry/api";
import mysql from "mysql2/promise";
import { currentOtelContext } from "../context/call-context.ts";
import type { Clock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { createDurationHistogram } from "../telemetry/duration-histogram.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { bounded } from "./bounded.ts";
import { errorType, mapDriverError } from "./errors.ts";
import type { ConnectionPool, Lease } from "./pool.ts";
import type { ExecuteResult, Queryable, SqlValue } from "./queryable.ts";

export type Result = mysql.RowDataPacket[] | mysql.ResultSetHeader;
type LeaseStatement = (lease: Lease) => Promise<Result>;

/** Runs work under a name: a span if the caller is traced, a duration in `db.client.operation.duration` always. */
export type Observe = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export function createObserve(telemetry: Telemetry, pool: ConnectionPool, clock: Clock): Observe {
  const durations = createDurationHistogram(
    telemetry.meter,
    "db.client.operation.duration",
    "How long a named statement took, waiting for a connection included",
  );
  return async (name, work) => {
    const attributes: Attributes = { "db.system.name": pool.system(), "db.operation.name": name };
    const startedMs = clock.monotonic();
    try {
      return await (isTraced() ? telemetry.span(name, { kind: SpanKind.CLIENT, attributes }, work) : work());
    } catch (error) {
      attributes["error.type"] = errorType(error);
      throw error;
    } finally {
      durations.record((clock.monotonic() - startedMs) / 1000, attributes);
    }
  };
}

/** Whether there is a trace to be part of. A relay that polls has none, and a root span for each poll would say nothing. */
export function isTraced(): boolean {
  return trace.getSpan(currentOtelContext()) !== undefined;
}

/** Runs a statement on a connection until it answers, its caller is gone, or limitMs have passed; then the connection is closed. */
export async function runOn(lease: Lease, name: string, limitMs: number, statement: LeaseStatement): Promise<Result> {
  try {
    return await bounded(
      {
        limitMs,
        onLimit: () =>
          rpcError(Code.DeadlineExceeded, `${name}: no answer within the statement time limit of ${limitMs} ms`),
        onAbandon: () => lease.destroy(),
      },
      () => statement(lease),
    );
  } catch (error) {
    throw mapDriverError(error, name);
  }
}

/** A prepared statement, as something to run on a lease. */
export function prepared(name: string, sql: string, params: readonly SqlValue[] = []): LeaseStatement {
  const named = withName(name, sql);
  return async ({ connection }) =>
    (await connection.execute<Result & mysql.RowDataPacket[]>(named, params.map(toParameter)))[0];
}

/** The statement with its name as a comment, which the server repeats in its process list and its logs. */
export function withName(name: string, sql: string): string {
  if (!/^[\w.-]+$/.test(name))
    throw new Error(`"${name}" is no name for a statement: letters, digits, ".", "_" and "-"`);
  return `/* ${name} */ ${sql}`;
}

/** A statement in the text protocol, which takes no parameters: what cannot be prepared, or is not worth it. */
export function text(sql: string): LeaseStatement {
  return async ({ connection }) => (await connection.query<Result & mysql.RowDataPacket[]>(sql))[0];
}

/** Makes the two public methods from one way to run a statement. */
export function createQueryable(run: (name: string, statement: LeaseStatement) => Promise<Result>): Queryable {
  return {
    async query<Row>(name: string, sql: string, params?: readonly SqlValue[]) {
      const rows = await run(name, prepared(name, sql, params));
      if (!Array.isArray(rows)) throw new Error(`${name}: query() is for statements that return rows, use execute()`);
      return rows as Row[];
    },
    async execute(name, sql, params): Promise<ExecuteResult> {
      const result = await run(name, prepared(name, sql, params));
      if (Array.isArray(result)) throw new Error(`${name}: execute() is for statements without rows, use query()`);
      return { affectedRows: result.affectedRows, insertId: BigInt(result.insertId) };
    },
  };
}

function toParameter(value: SqlValue) {
  // The driver would send a number as DOUBLE, and a bigint as text that arithmetic turns into DOUBLE.
  if (typeof value === "bigint") {
    const type = mysql.TypedParameter.LONGLONG;
    return value > 0x7fff_ffff_ffff_ffffn ? type.unsigned(value) : type(value);
  }
  if (typeof value === "number" && Number.isSafeInteger(value)) return mysql.TypedParameter.LONGLONG(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value;
}
