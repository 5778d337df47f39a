import { setTimeout as pause } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { currentSignal, runDetached } from "../context/call-context.ts";
import type { Random } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { throwIfCallIsOver } from "./bounded.ts";
import { isConflict } from "./errors.ts";
import type { ConnectionPool, Lease } from "./pool.ts";
import type { Transaction } from "./queryable.ts";
import { createQueryable, type Observe, runOn, text } from "./statement.ts";

/** How often work that the server undid because of a conflict is done in all, the first time included. */
export const conflictAttemptsMax = 6;
/** The wait before attempt n is random between 0 and this times 2^(n-1). */
const conflictBackoffMs = 5;
/** How long a ROLLBACK or COMMIT may take. Not the caller's deadline: cut off, a COMMIT's outcome is unknown. */
const endTimeoutMs = 5_000;

export interface TransactionDeps {
  readonly pool: ConnectionPool;
  readonly observe: Observe;
  readonly random: Random;
  readonly statementTimeoutMs: number;
  /** Told of an error that an afterCommit hook threw: the transaction has happened, so its caller must not be. */
  readonly onHookError: (name: string, error: unknown) => void;
}

/** Runs work again while the server undoes it because of a conflict, after a random wait, up to conflictAttemptsMax. */
export async function retryConflicts<T>(name: string, random: Random, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (attempt >= conflictAttemptsMax) {
        const message = `${name}: still in conflict with other transactions after ${attempt} attempts (conflictAttemptsMax)`;
        throw rpcError(Code.Aborted, message, { reason: "TRANSACTION_CONFLICT", domain: "weft", cause: error });
      }
      await pause(random() * conflictBackoffMs * 2 ** attempt, undefined, { signal: currentSignal() }).catch(() => {});
      throwIfCallIsOver();
    }
  }
}

/** Runs fn in one transaction, once. See `Database.transaction`. */
export async function runTransaction<T>(
  deps: TransactionDeps,
  name: string,
  fn: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const lease = await deps.pool.acquire(name, "transactions");
  const { tx, hooks, end } = createTransaction(deps, name, lease);
  let result: T;
  try {
    result = await fn(tx);
    const conflict = end();
    if (conflict !== undefined) throw conflict;
    throwIfCallIsOver();
  } catch (error) {
    const conflict = end();
    await rollBack(lease, name);
    throw conflict ?? error;
  }
  await commit(deps, lease, name);
  lease.release();
  for (const hook of hooks) runHook(deps, name, hook);
  return result;
}

function createTransaction(deps: TransactionDeps, name: string, lease: Lease) {
  const hooks: (() => void)[] = [];
  let over = false;
  let conflict: unknown;
  const queryable = createQueryable(async (statementName, statement) => {
    if (over) throw new Error(`${statementName}: the transaction ${name} is over`);
    // A deadlock has undone the transaction: a statement that ran now would commit on its own, whatever fn makes of the error.
    if (conflict !== undefined) throw conflict;
    try {
      return await deps.observe(statementName, () => runOn(lease, statementName, deps.statementTimeoutMs, statement));
    } catch (error) {
      if (isConflict(error)) conflict = error;
      throw error;
    }
  });
  const tx: Transaction = { ...queryable, afterCommit: (fn) => hooks.push(fn) };
  /** No more statements from here on. Answers with the conflict that has undone the transaction, if any. */
  const end = () => {
    over = true;
    return conflict;
  };
  return { tx, hooks, end };
}

async function commit(deps: TransactionDeps, lease: Lease, name: string): Promise<void> {
  try {
    await deps.observe(`${name}.commit`, () => runToEnd(lease, name, "COMMIT"));
  } catch (error) {
    lease.destroy();
    if (isConflict(error)) throw error;
    throw rpcError(Code.Unknown, `${name}: the reply to COMMIT was lost, so it may have happened or not`, {
      reason: "COMMIT_OUTCOME_UNKNOWN",
      cause: error,
    });
  }
}

async function rollBack(lease: Lease, name: string): Promise<void> {
  try {
    await runToEnd(lease, name, "ROLLBACK");
    lease.release();
  } catch {
    // Closing the connection rolls back as well.
    lease.destroy();
  }
}

function runToEnd(lease: Lease, name: string, sql: string) {
  return runDetached({ timeoutMs: endTimeoutMs }, () => runOn(lease, name, endTimeoutMs, text(sql)));
}

function runHook(deps: TransactionDeps, name: string, hook: () => void): void {
  try {
    hook();
  } catch (error) {
    deps.onHookError(name, error);
  }
}
