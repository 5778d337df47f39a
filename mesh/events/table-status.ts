import type { TableNote } from "../contract/event-operations.ts";
import type { Queryable } from "../data/queryable.ts";

interface StatusRow {
  readonly Rows: string | number | null;
  readonly Comment: string;
}

/** About how many rows a table has, as the server's statistics say: counting them would read them all. */
export async function estimateRows(from: Queryable, table: string): Promise<number> {
  return Number((await readStatus(from, table))?.Rows ?? 0);
}

/** Undefined if there is no such table; without a name if it has no note. */
export async function readTableNote(from: Queryable, table: string): Promise<Partial<TableNote> | undefined> {
  const row = await readStatus(from, table);
  if (row === undefined) return undefined;
  const [, by, at = ""] = /^replayed by (\S+) at (\S+)$/.exec(row.Comment) ?? [];
  return by === undefined ? {} : { by, at: new Date(at) };
}

/** The comment of a table that somebody makes: it goes where the table goes. Safe between quotes. */
export function tableNote(by: string, at: Date): string {
  return `replayed by ${by.replaceAll(/[^\w.:/@-]/g, "_").slice(0, 200)} at ${at.toISOString()}`;
}

async function readStatus(from: Queryable, table: string): Promise<StatusRow | undefined> {
  if (!/^\w+$/.test(table)) throw new Error(`"${table}" is no name of a table`);
  const [row] = await from.query<StatusRow>("events.tableStatus", `SHOW TABLE STATUS WHERE Name = '${table}'`);
  return row;
}
