import type { Database, Queryable, Transaction } from "./queryable.ts";

/** The table of the idempotency keys: `migrate({ component: "weft_idempotency", directory: idempotencyMigrations, ... })`. */
export const idempotencyMigrations = new URL("./migrations/", import.meta.url);

/** Whose key of which method. */
export interface KeyUse {
  /** The end user's id; "" for nobody. */
  readonly caller: string;
  /** "package.Service/Method". */
  readonly method: string;
  readonly key: string;
}

/** What is stored under a key. */
export interface StoredAnswer {
  readonly requestHash: string;
  readonly answer: Uint8Array;
}

/** Keys with the requests that they stand for and the answers. A use case that keeps its keys itself uses it; others use `createIdempotency`. */
export interface IdempotencyStore {
  /**
   * Takes a key, in the transaction of the effect, as its first statement: another transaction with the same key waits here until this one has
   * ended. False if it is taken.
   */
  take(tx: Transaction, use: KeyUse, requestHash: string, answer?: Uint8Array): Promise<boolean>;
  saveAnswer(tx: Transaction, use: KeyUse, answer: Uint8Array): Promise<void>;
  find(use: KeyUse): Promise<StoredAnswer | undefined>;
  /** What is stored under a key that is taken, in the transaction that has found it taken. */
  findTaken(tx: Transaction, use: KeyUse): Promise<StoredAnswer>;
  /** Removes what is older, at most count. Answers with how many it removed. */
  purge(before: Date, count: number): Promise<number>;
}

export function createIdempotencyStore(database: Database, now: () => number): IdempotencyStore {
  const ofUse = "caller = ? AND method = ? AND idempotency_key = ?";
  const select = `SELECT request_hash AS requestHash, answer FROM weft_idempotency WHERE ${ofUse}`;
  const values = ({ caller, method, key }: KeyUse) => [caller, method, key];
  const find = async (from: Queryable, use: KeyUse): Promise<StoredAnswer | undefined> =>
    (await from.query<StoredAnswer>("idempotency.find", select, values(use)))[0];
  return {
    async take(tx, use, requestHash, answer) {
      // IGNORE: a key that is taken is an ordinary answer, and no failed statement in traces and metrics.
      const { affectedRows } = await tx.execute(
        "idempotency.take",
        `INSERT IGNORE INTO weft_idempotency (caller, method, idempotency_key, request_hash, answer, created_at)
         VALUES (?, ?, ?, ?, ?, ?)`,
        [...values(use), requestHash, answer ?? null, new Date(now())],
      );
      return affectedRows === 1;
    },

    async saveAnswer(tx, use, answer) {
      const sql = `UPDATE weft_idempotency SET answer = ? WHERE ${ofUse}`;
      await tx.execute("idempotency.saveAnswer", sql, [answer, ...values(use)]);
    },

    find: (use) => find(database, use),

    async findTaken(tx, use) {
      const stored = await find(tx, use);
      // Cannot be: the INSERT that has found it holds a lock on it.
      if (stored === undefined) throw new Error(`a key of ${use.method} is taken and is not there`);
      return stored;
    },

    async purge(before, count) {
      const sql = "DELETE FROM weft_idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?";
      return (await database.execute("idempotency.purge", sql, [before, count])).affectedRows;
    },
  };
}
