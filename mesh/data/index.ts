export { decodePageToken, encodePageToken } from "../contract/page-token.ts";
export type { StatementHook } from "../contract/statement-hook.ts";
export { auditMigrations, createAudit } from "./audit-store.ts";
export { createDatabase, type DatabaseOptions } from "./database.ts";
export {
  createDueRowsWorker,
  type DueRow,
  type DueRowsOptions,
  type DueRowsWorker,
  type RowLease,
} from "./due-rows.ts";
export { anyDue, type OverdueRow, type StuckAfter, whyOverdue } from "./due-rows-overdue.ts";
export { isDatabaseUnavailable, isDuplicateKey, isNoSuchTable } from "./errors.ts";
export { bucketCount, bucketFor, bucketOf, newId, newUlid } from "./id.ts";
export {
  createIdempotency,
  type Idempotency,
  type IdempotencyOptions,
  type KeyedMethod,
  type Transact,
} from "./idempotency.ts";
export {
  createIdempotencyStore,
  type IdempotencyStore,
  idempotencyMigrations,
  type KeyUse,
  type StoredAnswer,
} from "./idempotency-store.ts";
export { type InsertTarget, insertRows } from "./insert-rows.ts";
export { isLeaseLost, leaseLost } from "./lease-lost.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export type {
  Database,
  DatabaseSession,
  ExecuteResult,
  Queryable,
  SqlValue,
  Transaction,
} from "./queryable.ts";
export { isCommitUnknown, resolveCommit } from "./unknown-commit.ts";
