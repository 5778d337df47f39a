import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, rpcError } from "../contract/errors.ts";

/** The driver's error: the server's numbers, or a socket's code. */
interface DriverError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly fatal?: boolean;
}

// Deadlock; lock wait timeout; snapshot conflict (MariaDB's innodb_snapshot_isolation, "record has changed since last read").
const conflicts = new Set([1213, 1205, 1020]);
// Too many connections; shutdown in progress; connection killed (MariaDB); server closed an idle connection (MySQL).
const refusals = new Set([1040, 1053, 1927, 4031]);
// max_statement_time (MariaDB), max_execution_time (MySQL).
const statementTimeouts = new Set([1969, 3024]);
const socketCodes = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"],
  ...["PROTOCOL_CONNECTION_LOST", "ERR_STREAM_WRITE_AFTER_END"],
]);

const unavailableReason = "DATABASE_UNAVAILABLE";
const exhaustedReason = "DATABASE_POOL_EXHAUSTED";

/** Gives a driver's error its gRPC code where it has one; any other stays as it is. */
export function mapDriverError(error: unknown, statement: string): unknown {
  if (!(error instanceof Error) || error instanceof ConnectError) return error;
  const { errno, code, message, fatal } = error as DriverError;
  if (errno !== undefined && statementTimeouts.has(errno)) {
    return rpcError(Code.DeadlineExceeded, `${statement}: stopped by the server's statement time limit`, {
      cause: error,
    });
  }
  if (message === "Queue limit reached.") {
    return poolExhausted(`${statement}: too many callers wait for a connection`, "queueLengthMax", error);
  }
  const away = fatal || (code !== undefined && socketCodes.has(code)) || (errno !== undefined && refusals.has(errno));
  return away || message === "Pool is closed." ? databaseUnavailable(statement, error) : error;
}

/** The error of a database that does not answer. */
export function databaseUnavailable(statement: string, cause?: unknown): ConnectError {
  return rpcError(Code.Unavailable, `${statement}: the database is not available`, {
    reason: unavailableReason,
    domain: "weft",
    ...(cause !== undefined && { cause }),
  });
}

/** Whether the error says that the database does not answer. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof ConnectError && errorReason(error) === unavailableReason;
}

/** The error of a pool all of whose connections are busy. `limit` is the setting that it has reached. */
export function poolExhausted(message: string, limit: string, cause?: unknown): ConnectError {
  return rpcError(Code.ResourceExhausted, `${message} (${limit})`, {
    reason: exhaustedReason,
    domain: "weft",
    metadata: { limit },
    ...(cause !== undefined && { cause }),
  });
}

/** Whether this error, or one that it was made from, says that the database is away or overrun: it will pass by itself. */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const reason = at instanceof ConnectError ? errorReason(at) : undefined;
    if (reason === unavailableReason || reason === exhaustedReason) return true;
  }
  return false;
}

/** Whether the server undid the transaction because of another one, so that it may be run again. */
export function isConflict(error: unknown): boolean {
  const errno = (error as DriverError | undefined)?.errno;
  return errno !== undefined && conflicts.has(errno);
}

/** Whether a statement failed because a unique key has the value already; with a name, only if it is that key's. */
export function isDuplicateKey(error: unknown, indexName?: string): boolean {
  if (!(error instanceof Error) || (error as DriverError).errno !== 1062) return false;
  // MariaDB says "for key 'name'", MySQL "for key 'table.name'".
  return indexName === undefined || /for key '(?:[^'.]*\.)?([^']*)'$/.exec(error.message)?.[1] === indexName;
}

/** Whether a statement failed because there is no such table. */
export function isNoSuchTable(error: unknown): boolean {
  return (error as DriverError | undefined)?.errno === 1146;
}

/** What `error.type` is in spans and metrics: few values, never a message. */
export function errorType(error: unknown): string {
  if (error instanceof ConnectError) return Code[error.code];
  const { code, errno, name } = error as DriverError;
  return code ?? errno?.toString() ?? name;
}
