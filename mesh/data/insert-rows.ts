import type { Queryable, SqlValue } from "./queryable.ts";

/** Where rows go. */
export interface InsertTarget {
  readonly table: string;
  readonly columns: readonly string[];
  /** What follows the rows: "ON DUPLICATE KEY UPDATE ...". */
  readonly ending?: string;
}

/** Parameters of one statement; the protocol has room for 65,535. */
const parametersMax = 20_000;

/** Inserts any number of rows, hundreds or thousands a statement; each has its values in the order of the columns. Answers with affected rows. */
export async function insertRows(
  to: Queryable,
  name: string,
  { table, columns, ending = "" }: InsertTarget,
  rows: readonly (readonly SqlValue[])[],
): Promise<number> {
  const size = Math.max(1, Math.floor(parametersMax / columns.length));
  const row = `(${columns.map(() => "?").join(", ")})`;
  let affected = 0;
  for (let from = 0; from < rows.length; from += size) {
    const some = rows.slice(from, from + size);
    const places = Array<string>(some.length).fill(row).join(", ");
    const sql = `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${places} ${ending}`;
    affected += (await to.execute(name, sql, some.flat())).affectedRows;
  }
  return affected;
}
