import type { Connection, RowDataPacket } from "mysql2/promise";
import { parseStatement, type Statement } from "./statements.ts";

/** What one connection ran in one go: a transaction, or a statement of its own. */
export interface Unit {
  /** The service whose user ran it. */
  readonly service: string;
  readonly isTransaction: boolean;
  /** It began with its first statement, on a connection that does not commit by itself. */
  readonly isImplicit: boolean;
  /** How a transaction ended; a statement of its own commits by itself. */
  readonly end: "COMMIT" | "ROLLBACK";
  readonly statements: readonly Statement[];
}

/** A line of the server's general log. */
export interface LogLine {
  /** The database user. */
  readonly user: string;
  readonly thread: number;
  readonly command: string;
  readonly argument: string;
}

/** The server's own record of all that it runs. It needs no help from those who run it. */
export interface Recorder {
  /** Forgets what has been recorded. */
  clear(): Promise<void>;
  /** What the users of a shop's schemas have run since, in the order in which it began. */
  read(): Promise<Unit[]>;
  /** Ends it: the server works at full speed again. */
  end(): Promise<void>;
}

/**
 * Begins to record. The server decides when a statement is prepared whether it is going to be written down with its values, at a price
 * in time: so connections are closed at the beginning and at the end, for their owners to open new ones. To be called when all is quiet.
 */
export async function beginRecording(admin: Connection, schemaPrefix: string): Promise<Recorder> {
  const users = `${schemaPrefix.replaceAll("_", "\\_")}\\_%`;
  const closeConnections = async (): Promise<void> => {
    const sql = "SELECT id FROM information_schema.processlist WHERE user LIKE ?";
    const [rows] = await admin.query<RowDataPacket[]>(sql, [users]);
    // One that has gone by itself meanwhile is no loss.
    for (const { id } of rows) await admin.query(`KILL ${id}`).catch(() => undefined);
  };
  await admin.query("SET GLOBAL log_output = 'TABLE'");
  await admin.query("SET GLOBAL general_log = ON");
  await closeConnections();
  return {
    async clear() {
      await admin.query("TRUNCATE mysql.general_log");
    },
    async read() {
      const [rows] = await admin.query<RowDataPacket[]>(
        `SELECT SUBSTRING_INDEX(user_host, '[', 1) AS user, thread_id AS thread, command_type AS command,
           CONVERT(argument USING utf8mb4) AS argument
         FROM mysql.general_log WHERE command_type IN ('Execute', 'Query') AND user_host LIKE ?`,
        [users],
      );
      return unitsOf(rows as LogLine[], schemaPrefix);
    },
    async end() {
      await admin.query("SET GLOBAL general_log = OFF");
      await admin.query("TRUNCATE mysql.general_log");
      await closeConnections();
    },
  };
}

/** Puts together what belongs together. What a pool asks of a new connection, and a transaction that was cut in two, are left out. */
export function unitsOf(lines: readonly LogLine[], schemaPrefix: string): Unit[] {
  type Open = Omit<Unit, "end" | "statements"> & { readonly statements: Statement[]; end?: Unit["end"] };
  const implicit = implicitThreads(lines);
  const units: Open[] = [];
  const open = new Map<number, Open>();
  const begin = (line: LogLine, kind: Pick<Unit, "isTransaction" | "isImplicit">): Open => {
    const begun: Open = { service: line.user.slice(schemaPrefix.length + 1), ...kind, statements: [] };
    units.push(begun);
    if (kind.isTransaction) open.set(line.thread, begun);
    else begun.end = "COMMIT";
    return begun;
  };
  for (const line of lines) {
    const { thread, command, argument } = line;
    const isImplicit = implicit.has(thread);
    if (command === "Execute") {
      const unit = open.get(thread) ?? begin(line, { isTransaction: isImplicit, isImplicit });
      unit.statements.push(parseStatement(argument));
    } else if (argument === "START TRANSACTION") begin(line, { isTransaction: true, isImplicit: false });
    else if (argument === "COMMIT" || argument === "ROLLBACK") {
      const ended = open.get(thread);
      if (ended !== undefined) ended.end = argument;
      open.delete(thread);
    }
  }
  return units.flatMap(({ end, ...unit }) => (end === undefined ? [] : [{ ...unit, end }]));
}

/** Connections on which transactions end that nobody has begun. */
function implicitThreads(lines: readonly LogLine[]): ReadonlySet<number> {
  const threads = (...texts: string[]) =>
    lines.filter(({ argument }) => texts.includes(argument)).map(({ thread }) => thread);
  const begun = new Set(threads("START TRANSACTION"));
  return new Set(threads("COMMIT", "ROLLBACK").filter((thread) => !begun.has(thread)));
}

/** How often each order caused a statement, by service and name, the most frequent first within a service. */
export interface StatementCount {
  readonly service: string;
  readonly name: string;
  readonly perOrder: number;
}

/** Counts statements; START TRANSACTION, where it is sent, COMMIT and ROLLBACK are among them. */
export function countStatements(units: readonly Unit[], orders: number): StatementCount[] {
  const counts = new Map<string, number>();
  const add = (service: string, name: string) => {
    const key = `${service} ${name}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  for (const { service, isTransaction, isImplicit, end, statements } of units) {
    for (const { name } of statements) add(service, name);
    if (!isTransaction) continue;
    if (!isImplicit) add(service, "START TRANSACTION");
    add(service, end);
  }
  return [...counts]
    .map(([key, count]) => {
      const [service = "", ...name] = key.split(" ");
      return { service, name: name.join(" "), perOrder: count / orders };
    })
    .sort((a, b) => (a.service === b.service ? b.perOrder - a.perOrder : a.service < b.service ? -1 : 1));
}
