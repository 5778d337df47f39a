/** What can be bound to a `?`. A bigint or a whole number goes as BIGINT, never as DOUBLE. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null;

/** What a statement that returns no rows did. */
export interface ExecuteResult {
  /** Rows that were inserted, deleted or matched: an UPDATE that sets what is there already counts its row. */
  readonly affectedRows: number;
  /** The AUTO_INCREMENT value of the first row inserted, 0n if there is none. */
  readonly insertId: bigint;
}

/**
 * Runs single prepared statements. `name` ("order.insertOrder") is the statement's name in spans, metrics and errors.
 *
 * Rows come as the driver reads them: BIGINT, COUNT and DECIMAL as string, DATETIME as Date (stored as UTC), BLOB as Buffer.
 *
 * A statement ends with the ambient call: with its deadline DEADLINE_EXCEEDED, with its cancellation CANCELLED. MySQL's protocol
 * cannot cancel, so the connection is then closed. Other codes: UNAVAILABLE (the database is away), RESOURCE_EXHAUSTED (the pool
 * is, its message names the limit), ABORTED (conflicts outlasted the retries). What the server says about the statement itself
 * (a duplicate key, a syntax error) comes as it is.
 */
export interface Queryable {
  query<Row>(name: string, sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
  execute(name: string, sql: string, params?: readonly SqlValue[]): Promise<ExecuteResult>;
}

/** One transaction, READ COMMITTED. Usable until `transaction()`'s function has ended. */
export interface Transaction extends Queryable {
  /** Calls back once the COMMIT is acknowledged; never after a rollback. */
  afterCommit(fn: () => void): void;
}

/** A connection of one's own, for what belongs to a connection: GET_LOCK, session variables. Closed when done, never reused. */
export interface DatabaseSession extends Queryable {
  /** Runs one statement that cannot be prepared (DDL), for as long as it takes. */
  script(name: string, sql: string): Promise<void>;
}

/** A pool of connections to one schema. */
export interface Database extends Queryable, AsyncDisposable {
  /**
   * Runs fn in a transaction: commits when it resolves, rolls back when it rejects. After a deadlock, a lock wait timeout or a
   * snapshot conflict all of fn runs again, so it must do nothing outside of tx; past `conflictAttemptsMax` it is ABORTED.
   *
   * If the reply to COMMIT is lost, nobody knows whether it happened: UNKNOWN with reason COMMIT_OUTCOME_UNKNOWN, never retried
   * here. Ask again by idempotency key.
   */
  transaction<T>(name: string, fn: (tx: Transaction) => Promise<T>): Promise<T>;
  session<T>(name: string, fn: (session: DatabaseSession) => Promise<T>): Promise<T>;
}
