import { type DueRowsTable, rowsOf } from "./due-rows-table.ts";

/** When a row that is due counts as one that does not get on. */
export interface StuckAfter {
  /** Runs in a row that failed. */
  readonly failures: number;
  /** Runs begun since the work last got on, failed or not. */
  readonly attempts: number;
  /** Time that it has been due without anybody ending a run of it. */
  readonly dueForMs: number;
}

/** Any row that is due, now or later. */
export const anyDue: StuckAfter = { failures: 0, attempts: 0, dueForMs: 0 };

/** A row that does not get on. */
export interface OverdueRow {
  readonly key: string;
  readonly dueAt: Date;
  readonly attempts: number;
  readonly failures: number;
  /** What the last run failed with; empty if it did not. */
  readonly lastError: string;
  readonly leaseOwner: string;
  readonly leaseUntil: Date | undefined;
}

interface OverdueColumns {
  readonly key: string;
  readonly dueAt: Date;
  readonly attempts: number | string;
  readonly failures: number | string;
  readonly lastError: string | null;
  readonly leaseOwner: string | null;
  readonly leaseUntil: Date | null;
}

/** Why a row counts as one that does not get on, for people; undefined if it does not. The same test as selectOverdue()'s. */
export function whyOverdue(
  row: Pick<OverdueRow, "attempts" | "failures"> & { readonly dueAt: Date | undefined },
  after: StuckAfter,
  nowMs: number,
): string | undefined {
  if (row.dueAt === undefined) return undefined;
  if (row.failures >= after.failures) return `its last ${row.failures} runs failed`;
  const dueForMs = nowMs - row.dueAt.getTime();
  if (dueForMs >= after.dueForMs) return `due for ${Math.round(dueForMs / 1_000)} s, and no run has ended since`;
  return row.attempts >= after.attempts ? `${row.attempts} runs did not get it on` : undefined;
}

/** Rows that do not get on, those due longest first. */
export async function selectOverdue(
  at: Omit<DueRowsTable, "owner">,
  find: { readonly now: Date; readonly after: StuckAfter; readonly limit: number },
): Promise<OverdueRow[]> {
  const { sql: mine, values } = rowsOf(at);
  const { failures, attempts, dueForMs } = find.after;
  // IS NOT NULL: by the index on next_attempt_at, past the rows that are done, of which there is no end.
  const rows = await at.database.query<OverdueColumns>(
    `${at.name}.selectOverdue`,
    `SELECT ${at.keyColumn} AS \`key\`, next_attempt_at AS dueAt, attempts, failures, last_error AS lastError,
       lease_owner AS leaseOwner, lease_until AS leaseUntil FROM ${at.table}
     WHERE ${mine}next_attempt_at IS NOT NULL AND (failures >= ? OR attempts >= ? OR next_attempt_at <= ?)
     ORDER BY next_attempt_at LIMIT ${find.limit}`,
    [...values, failures, attempts, new Date(find.now.getTime() - dueForMs)],
  );
  return rows.map((row) => ({
    ...{ key: row.key, dueAt: row.dueAt, attempts: Number(row.attempts), failures: Number(row.failures) },
    ...{ lastError: row.lastError ?? "", leaseOwner: row.leaseOwner ?? "", leaseUntil: row.leaseUntil ?? undefined },
  }));
}

/** Makes a row that waits for its next attempt due at once. Answers whether it did: not if nothing is due, or it is being run. */
export async function endWait(at: Omit<DueRowsTable, "owner">, key: string, now: Date): Promise<boolean> {
  const { name, database, table, keyColumn } = at;
  const sql = `UPDATE ${table} SET next_attempt_at = ?
    WHERE ${keyColumn} = ? AND next_attempt_at IS NOT NULL AND (lease_until IS NULL OR lease_until <= ?)`;
  return (await database.execute(`${name}.endWait`, sql, [now, key, now])).affectedRows === 1;
}
