import type { Database } from "./queryable.ts";

/** Where due rows lie; see `DueRowsOptions`. */
export interface DueRowsTable {
  /** Names statements: "order.sagas". */
  readonly name: string;
  readonly database: Database;
  readonly table: string;
  readonly keyColumn: string;
  readonly owner: string;
  readonly only?: RowsOf | undefined;
}

/** The rows of a table whose column has a value. */
export interface RowsOf {
  readonly column: string;
  readonly value: string;
}

export interface ClaimedRow {
  readonly key: string;
  readonly attempts: number;
  /** What made it due: only if nobody has said otherwise since does the worker set another time. */
  readonly dueAt: Date;
  readonly traceparent: string | null;
  /** Of this claim; see `DueRow`. */
  readonly leaseToken: bigint;
}

interface DueRow extends Omit<ClaimedRow, "attempts" | "leaseToken"> {
  readonly attempts: number | string;
  readonly leaseToken: string;
}

/** The token of a row that is born leased: its birth is its first claim. */
export const bornLeaseToken = 1n;

/** Of the text of an error, what is kept in the row. */
export const lastErrorLengthMax = 500;

/** Leases up to `limit` rows that are due and nobody's, those due longest first. Rows that `skip` knows are left alone. */
export async function claimDueRows(
  at: DueRowsTable,
  claim: { readonly now: Date; readonly until: Date; readonly limit: number; skip(key: string): boolean },
): Promise<ClaimedRow[]> {
  const { name, table, keyColumn, owner } = at;
  const { sql: mine, values } = rowsOf(at);
  return await at.database.transaction(`${name}.claim`, async (tx) => {
    const rows = await tx.query<DueRow>(
      `${name}.selectDue`,
      `SELECT ${keyColumn} AS \`key\`, attempts, next_attempt_at AS dueAt, traceparent, lease_token AS leaseToken FROM ${table}
       WHERE ${mine}next_attempt_at <= ? AND (lease_until IS NULL OR lease_until <= ?)
       ORDER BY next_attempt_at LIMIT ${claim.limit} FOR UPDATE SKIP LOCKED`,
      [...values, claim.now, claim.now],
    );
    const free = rows.filter(({ key }) => !claim.skip(key));
    if (free.length === 0) return [];
    await tx.execute(
      `${name}.takeLeases`,
      `UPDATE ${table} SET lease_owner = ?, lease_until = ?, attempts = attempts + 1, lease_token = lease_token + 1
       WHERE ${keyColumn} IN (${placeholders(free)})`,
      [owner, claim.until, ...free.map(({ key }) => key)],
    );
    return free.map((row) => ({
      ...row,
      attempts: Number(row.attempts) + 1,
      leaseToken: BigInt(row.leaseToken) + 1n,
    }));
  });
}

/** Lengthens the leases of these rows; answers with those that are somebody else's by now. */
export async function renewLeases(at: DueRowsTable, keys: readonly string[], until: Date): Promise<string[]> {
  const { name, database, table, keyColumn, owner } = at;
  const mine = `lease_owner = ? AND ${keyColumn} IN (${placeholders(keys)})`;
  const renewal = `UPDATE ${table} SET lease_until = ? WHERE ${mine}`;
  const { affectedRows } = await database.execute(`${name}.renewLeases`, renewal, [until, owner, ...keys]);
  if (affectedRows === keys.length) return [];
  const sql = `SELECT ${keyColumn} AS \`key\` FROM ${table} WHERE ${mine}`;
  const rows = await database.query<{ key: string }>(`${name}.selectLeased`, sql, [owner, ...keys]);
  const held = new Set(rows.map(({ key }) => key));
  return keys.filter((key) => !held.has(key));
}

/** How a run ended. */
export interface RunEnd {
  /** The row is due then, unless its next time has been set since it was claimed; undefined: whatever is set stands. */
  readonly nextAttemptAt: Date | undefined;
  /** What it failed with; undefined if it did not. */
  readonly error: string | undefined;
}

/** Ends a lease, and says in the row how the run ended. Does nothing if the lease is somebody else's by now. */
export async function giveBack(
  at: DueRowsTable,
  row: Pick<ClaimedRow, "key" | "dueAt" | "leaseToken">,
  { nextAttemptAt, error }: RunEnd,
): Promise<void> {
  await at.database.execute(
    `${at.name}.giveBack`,
    `UPDATE ${at.table} SET lease_owner = NULL, lease_until = NULL, failures = IF(?, failures + 1, 0), last_error = ?,
       next_attempt_at = IF(next_attempt_at = ?, COALESCE(?, next_attempt_at), next_attempt_at)
     WHERE ${at.keyColumn} = ? AND lease_token = ? AND lease_owner = ?`,
    [
      error !== undefined,
      error?.slice(0, lastErrorLengthMax) ?? null,
      ...[row.dueAt, nextAttemptAt ?? null, row.key, row.leaseToken, at.owner],
    ],
  );
}

/** Ends the leases of runs that went well and left nothing to say. Those that are somebody else's by now stay. */
export async function giveBackTogether(
  at: DueRowsTable,
  rows: readonly Pick<ClaimedRow, "key" | "leaseToken">[],
): Promise<void> {
  const last = rows.at(-1);
  if (last === undefined) return;
  // Filled up with the last one: a handful of statement texts for any number of rows.
  const filled = [...rows, ...Array<typeof last>(2 ** Math.ceil(Math.log2(rows.length)) - rows.length).fill(last)];
  await at.database.execute(
    `${at.name}.giveBackTogether`,
    // The keys for the index, which MariaDB does not use for pairs.
    `UPDATE ${at.table} SET lease_owner = NULL, lease_until = NULL, failures = 0, last_error = NULL
     WHERE ${at.keyColumn} IN (${placeholders(filled)}) AND lease_owner = ?
       AND (${at.keyColumn}, lease_token) IN (${filled.map(() => "(?, ?)").join(", ")})`,
    [...filled.map(({ key }) => key), at.owner, ...filled.flatMap(({ key, leaseToken }) => [key, leaseToken])],
  );
}

/** Ends all leases of this owner on rows that have a next time; on others they mean nothing. */
export async function giveAllBack(at: DueRowsTable): Promise<void> {
  const { name, database, table, owner } = at;
  const { sql: mine, values } = rowsOf(at);
  // By the index on next_attempt_at, since there is none on lease_owner: of the rows that are done there is no end.
  const sql = `UPDATE ${table} SET lease_owner = NULL, lease_until = NULL
    WHERE ${mine}next_attempt_at IS NOT NULL AND lease_owner = ?`;
  await database.execute(`${name}.giveAllBack`, sql, [...values, owner]);
}

/** Due rows are counted up to here. */
const backlogCountMax = 100_000;

/** How many rows are due, up to backlogCountMax, and since when the oldest. */
export async function readBacklog(at: DueRowsTable, now: Date): Promise<{ count: number; oldest: Date | undefined }> {
  const { name, database, table } = at;
  const { sql: mine, values } = rowsOf(at);
  const sql = `SELECT COUNT(*) AS count, MIN(next_attempt_at) AS oldest FROM
    (SELECT next_attempt_at FROM ${table} WHERE ${mine}next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${backlogCountMax}) AS due`;
  const [row] = await database.query<{ count: string; oldest: Date | null }>(`${name}.selectBacklog`, sql, [
    ...values,
    now,
  ]);
  return { count: Number(row?.count ?? 0), oldest: row?.oldest ?? undefined };
}

/** What restricts a statement to the rows of one worker. */
export function rowsOf({ only }: Pick<DueRowsTable, "only">): {
  readonly sql: string;
  readonly values: readonly string[];
} {
  return only === undefined ? { sql: "", values: [] } : { sql: `${only.column} = ? AND `, values: [only.value] };
}

function placeholders(items: readonly unknown[]): string {
  return items.map(() => "?").join(", ");
}
