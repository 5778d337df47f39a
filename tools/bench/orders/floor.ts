import { setTimeout as pause } from "node:timers/promises";
import mysql from "mysql2/promise";
import type { Unit } from "./recording.ts";
import { renewed, type Script } from "./scripts.ts";
import type { Statement, Value } from "./statements.ts";

/** The recorded statements, run by bare mysql2. */
export interface Floor extends AsyncDisposable {
  /** So many orders' scripts, with ids that nothing has had yet: made before the clock runs, since they are no work of the driver's. */
  prepare(scripts: readonly Script[], orders: number): readonly Script[];
  /** Runs each script once, so many at a time. */
  run(scripts: readonly Script[], inFlight: number): Promise<FloorRun>;
}

export interface FloorRun {
  readonly elapsedMs: number;
  /** Units that were run again after a deadlock. */
  readonly conflicts: number;
}

export interface FloorOptions {
  readonly adminUrl: string;
  readonly schemaPrefix: string;
  /** Those whose statements are run. */
  readonly services: readonly string[];
  /** Connections to each schema, for each use: as many as a service has. */
  readonly poolSize: number;
}

/** Sessions as the shop's pools have them (mesh/data/pool.ts). */
const SESSION = "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 3, tx_isolation = 'READ-COMMITTED'";
const PREPARED_MAX = 400;
const CONFLICTS = new Set([1213, 1205, 1020]);
/** More than the shop needs: it has few of the batches of one consumer open at once, the floor as many as it has orders. */
const ATTEMPTS_MAX = 30;
const CONFLICT_BACKOFF_MS = { first: 5, max: 80 };
/** Pieces of each product beside what the shop has. */
const SLACK = 1_000_000;
const ROW_NUMBERS = /^(?:\/\*.*?\*\/ )?SELECT id\b/;

/** Copies the shop's schemas, tables and rows, to others of the same server, where nobody else is at work. */
export async function openFloor(options: FloorOptions): Promise<Floor> {
  const { adminUrl, schemaPrefix, services, poolSize } = options;
  const admin = await mysql.createConnection({ uri: adminUrl, multipleStatements: false });
  const schemas = new Map<string, FloorSchema>();
  for (const service of services) {
    const schema = `floor_${service}`;
    await copySchema(admin, `${schemaPrefix}_${service}`, schema);
    if (service === "inventory") await addStock(admin, schema);
    schemas.set(service, openSchema(adminUrl, schema, poolSize));
  }
  await admin.end();
  let generation = 0;
  return {
    prepare(scripts, orders) {
      const wanted: Script[] = [];
      while (wanted.length < orders) {
        generation += 1;
        for (const script of scripts.slice(0, orders - wanted.length)) wanted.push(renewed(script, generation));
      }
      return wanted;
    },
    async run(scripts, inFlight) {
      let next = 0;
      let conflicts = 0;
      const work = async (): Promise<void> => {
        for (let script = scripts[next++]; script !== undefined; script = scripts[next++]) {
          for (const unit of script) {
            const schema = schemas.get(unit.service);
            if (schema === undefined) throw new Error(`the floor has no schema of ${unit.service}'s`);
            conflicts += await runUnit(schema, unit);
          }
        }
      };
      const startedMs = performance.now();
      await Promise.all(Array.from({ length: inFlight }, work));
      return { elapsedMs: performance.now() - startedMs, conflicts };
    },
    async [Symbol.asyncDispose]() {
      const all = [...schemas.values()].flatMap(({ pools }) => Object.values(pools));
      await Promise.all(all.map((pool) => pool.end()));
    },
  };
}

type Use = "statements" | "transactions";

interface FloorSchema {
  /** Transactions that begin with their first statement have connections of their own, as in the shop. */
  readonly pools: Readonly<Record<Use, mysql.Pool>>;
  /** Numbers of rows that were claimed and are to be marked. */
  readonly claimed: string[];
}

function openSchema(adminUrl: string, schema: string, poolSize: number): FloorSchema {
  const open = (use: Use) => openPool(adminUrl, schema, poolSize, use);
  return { pools: { statements: open("statements"), transactions: open("transactions") }, claimed: [] };
}

function openPool(adminUrl: string, schema: string, poolSize: number, use: Use): mysql.Pool {
  const pool = mysql.createPool({
    uri: adminUrl,
    database: schema,
    connectionLimit: poolSize,
    charset: "utf8mb4_unicode_ci",
    timezone: "Z",
    supportBigNumbers: true,
    bigNumberStrings: true,
    maxPreparedStatements: PREPARED_MAX,
  });
  // The pool sends it before whatever is asked of the connection next.
  const session = use === "transactions" ? `${SESSION}, autocommit = 0` : SESSION;
  pool.on("connection", (connection) => void connection.query(session));
  return pool;
}

async function copySchema(admin: mysql.Connection, from: string, to: string): Promise<void> {
  await admin.query(`DROP DATABASE IF EXISTS ${to}`);
  await admin.query(`CREATE DATABASE ${to} CHARACTER SET utf8mb4`);
  const [tables] = await admin.query<mysql.RowDataPacket[]>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
    [from],
  );
  for (const { name } of tables) {
    await admin.query(`CREATE TABLE ${to}.${name} LIKE ${from}.${name}`);
    await admin.query(`INSERT INTO ${to}.${name} SELECT * FROM ${from}.${name}`);
  }
}

/**
 * What one transaction of the shop's sold for several orders is run with the last of them, which may be before another has held its part:
 * with so much held beforehand nothing is refused for it.
 */
async function addStock(admin: mysql.Connection, schema: string): Promise<void> {
  await admin.query(`UPDATE ${schema}.stock SET on_hand = on_hand + ?, held = held + ?`, [2 * SLACK, SLACK]);
}

/** Answers with how often it was run again. */
async function runUnit(schema: FloorSchema, unit: Unit): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    const connection = await schema.pools[unit.isImplicit ? "transactions" : "statements"].getConnection();
    try {
      await runOnce(connection, schema, unit);
      return attempt;
    } catch (error) {
      if (unit.isTransaction) await connection.query("ROLLBACK");
      if (!CONFLICTS.has((error as { errno?: number }).errno ?? 0) || attempt >= ATTEMPTS_MAX) throw error;
      // As the shop waits: those who run into each other at once do so again.
      await pause(Math.random() * Math.min(CONFLICT_BACKOFF_MS.max, CONFLICT_BACKOFF_MS.first * 2 ** attempt));
    } finally {
      connection.release();
    }
  }
}

async function runOnce(connection: mysql.PoolConnection, schema: FloorSchema, unit: Unit): Promise<void> {
  if (unit.isTransaction && !unit.isImplicit) await connection.query("START TRANSACTION");
  let read: string[] | undefined;
  for (const statement of unit.statements) {
    const [result] = await connection.execute<mysql.RowDataPacket[] | mysql.ResultSetHeader>(
      statement.sql,
      bound(statement, () => {
        if (read === undefined) return schema.claimed.splice(0, statement.values.length);
        schema.claimed.push(...read.slice(0, statement.values.length - 1));
        return read;
      }),
    );
    if (Array.isArray(result) && ROW_NUMBERS.test(statement.sql)) read = result.map(({ id }) => String(id));
  }
  if (unit.isTransaction) await connection.query(unit.end);
}

/** A number that the server gave to a row is another here: it is taken from what was read before. */
function bound({ sql, values }: Statement, rowNumbers: () => readonly string[]) {
  const at = sql.indexOf("WHERE id IN (");
  if (at < 0) return values.map(parameter);
  const before = sql.slice(0, at).split("?").length - 1;
  const numbers = rowNumbers();
  const fill = numbers.at(-1) ?? "0";
  return values.map((value, index) => parameter(index < before ? value : BigInt(numbers[index - before] ?? fill)));
}

function parameter(value: Value) {
  return typeof value === "bigint" ? mysql.TypedParameter.LONGLONG(value) : value;
}
