import type { Connection, RowDataPacket } from "mysql2/promise";
import { parseStatement, type Statement } from "./statements.ts";

/** What one connection ran in one go: a transaction, or a statement of its own. */
export interface Unit {
  /** The service whose user ran it. */
  readonly service: string;
  readonly isTransaction: boolean;
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
  interface Open {
    readonly service: string;
    readonly statements: Statement[];
    end?: "COMMIT" | "ROLLBACK";
    readonly isTransaction: boolean;
  }
  const units: Open[] = [];
  const open = new Map<number, Open>();
  for (const { user, thread, command, argument } of lines) {
    const service = user.slice(schemaPrefix.length + 1);
    const current = open.get(thread);
    if (command === "Execute") {
      const statement = parseStatement(argument);
      if (current !== undefined) current.statements.push(statement);
      else units.push({ service, isTransaction: false, statements: [statement], end: "COMMIT" });
    } else if (argument === "START TRANSACTION") {
      const begun: Open = { service, isTransaction: true, statements: [] };
      open.set(thread, begun);
      units.push(begun);
    } else if (current !== undefined && (argument === "COMMIT" || argument === "ROLLBACK")) {
      current.end = argument;
      open.delete(thread);
    }
  }
  return units.flatMap(({ end, ...unit }) => (end === undefined ? [] : [{ ...unit, end }]));
}

/** How often each order caused a statement, by service and name, the most frequent first within a service. */
export interface StatementCount {
  readonly service: string;
  readonly name: string;
  readonly perOrder: number;
}

/** Counts statements; START TRANSACTION, COMMIT and ROLLBACK are among them. */
export function countStatements(units: readonly Unit[], orders: number): StatementCount[] {
  const counts = new Map<string, number>();
  const add = (service: string, name: string) => {
    const key = `${service} ${name}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  for (const { service, isTransaction, end, statements } of units) {
    for (const { name } of statements) add(service, name);
    if (!isTransaction) continue;
    add(service, "START TRANSACTION");
    add(service, end);
  }
  return [...counts]
    .map(([key, count]) => {
      const [service = "", ...name] = key.split(" ");
      return { service, name: name.join(" "), perOrder: count / orders };
    })
    .sort((a, b) => (a.service === b.service ? b.perOrder - a.perOrder : a.service < b.service ? -1 : 1));
}
