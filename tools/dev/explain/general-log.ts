import type { Connection, RowDataPacket } from "mysql2/promise";

/** A statement as the server has run it, its values in place. */
export interface RanStatement {
  readonly schema: string;
  /** Undefined: it did not come by way of @weft/mesh/data. */
  readonly name: string | undefined;
  readonly sql: string;
}

export interface Recording {
  /** Names of all statements that have run, those too long to be kept included. */
  readonly names: ReadonlySet<string>;
  /** Of each statement and each of its forms, some that have run. */
  readonly samples: readonly RanStatement[];
}

/** Longer ones are bulk inserts, of which there are shorter ones. */
const LENGTH_MAX = 30_000;
const SAMPLES_PER_FORM = 3;
/** The question of the mesh to a new connection. */
const OF_THE_POOL = /^SELECT VERSION\(\) AS version$/;

/** Makes the server write down every statement that it runs, of anybody. It needs no help from those who run them. */
export async function startRecording(server: Connection): Promise<void> {
  await server.query("SET GLOBAL log_output = 'TABLE'");
  await server.query("SET GLOBAL general_log = ON");
}

/** Ends it, and answers with what the database users have run whose names begin so. */
export async function endRecording(server: Connection, userPrefix: string): Promise<Recording> {
  await server.query("SET GLOBAL general_log = OFF");
  const users = `${userPrefix.replaceAll("_", "\\_")}\\_%`;
  const [named] = await server.query<RowDataPacket[]>(
    `SELECT DISTINCT SUBSTRING_INDEX(SUBSTRING_INDEX(LEFT(argument, 200), ' */', 1), '/* ', -1) AS name
     FROM mysql.general_log WHERE command_type = 'Execute' AND user_host LIKE ? AND argument LIKE '/* %'`,
    [users],
  );
  const [rows] = await server.query<RowDataPacket[]>(
    // What is not prepared has a name in scripts of migrations, which run once; without one it is a stranger's.
    `SELECT SUBSTRING_INDEX(user_host, '[', 1) AS user, CONVERT(argument USING utf8mb4) AS argument FROM mysql.general_log
     WHERE (command_type = 'Execute' OR command_type = 'Query' AND argument NOT LIKE '/* %')
       AND user_host LIKE ? AND LENGTH(argument) <= ?`,
    [users, LENGTH_MAX],
  );
  const statements = rows.map(({ user, argument }) => toStatement(String(user), String(argument)));
  return { names: new Set(named.map(({ name }) => String(name))), samples: sample(statements) };
}

function toStatement(schema: string, argument: string): RanStatement {
  const [, name] = /^\/\* ([\w.-]+) \*\/ /.exec(argument) ?? [];
  return { schema, name, sql: argument };
}

/** The last few of each form: by then there is most to be found. */
function sample(statements: readonly RanStatement[]): RanStatement[] {
  const forms = new Map<string, RanStatement[]>();
  for (const statement of statements) {
    const { sql, schema, name } = statement;
    if (!/^(\/\*.*?\*\/\s*)?\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i.test(sql) || OF_THE_POOL.test(sql))
      continue;
    const form = `${schema} ${name} ${formOf(sql)}`;
    forms.set(form, [...(forms.get(form) ?? []), statement].slice(-SAMPLES_PER_FORM));
  }
  return [...forms.values()].flat();
}

/** A statement without its values, and with one of the many in a list. */
export function formOf(sql: string): string {
  return sql
    .replaceAll(/'(?:[^'\\]|\\.|'')*'/gs, "?")
    .replaceAll(/\b(?:TIMESTAMP|DATE|x|X)\s*\?/g, "?")
    .replaceAll(/(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])/gi, "?")
    .replaceAll(/\(\s*\?(?:\s*,\s*\?)*\s*\)/g, "(?)")
    .replaceAll(/\(\?\)(?:\s*,\s*\(\?\))+/g, "(?)")
    .replaceAll(/\s+/g, " ");
}
