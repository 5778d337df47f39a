import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Logger } from "../telemetry/logger.ts";
import type { Database, DatabaseSession } from "./queryable.ts";
import { splitStatements } from "./sql-script.ts";

/** How long one starter waits for another that is migrating. */
const lockTimeoutS = 120;

export interface MigrateOptions {
  readonly database: Database;
  /** Whose migrations these are; several components can share a schema, each with its own numbers. */
  readonly component: string;
  /** Folder with files such as 0001_create_orders.sql. */
  readonly directory: URL;
  readonly logger: Logger;
}

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly file: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

interface AppliedRow {
  readonly version: number;
  readonly checksum: string;
}

/**
 * Applies, in order, the migrations that this schema has not seen. Forward only; several starters at once are safe: one works, the
 * others wait. What is applied already must not have changed since; applied versions without a file are left alone, so that the
 * last release can start on the next one's schema.
 *
 * DDL commits on its own, so a file that fails half way stays half applied: one change a file, or IF NOT EXISTS.
 *
 * @throws Error naming the file
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { database, component, logger } = options;
  const migrations = await readMigrations(options.directory);
  await database.session(`${component}.migrate`, (session) =>
    locked(session, component, async () => {
      await session.script(`${component}.createMigrationsTable`, migrationsTable);
      const applied = await session.query<AppliedRow>(
        `${component}.selectMigrations`,
        "SELECT version, checksum FROM weft_migrations WHERE component = ?",
        [component],
      );
      for (const migration of pendingMigrations(migrations, applied)) {
        await apply(session, component, migration);
        logger.info("migration applied", { component, migration: migration.file });
      }
    }),
  );
}

const migrationsTable = `
  CREATE TABLE IF NOT EXISTS weft_migrations (
    component VARCHAR(64) NOT NULL,
    version INT NOT NULL,
    name VARCHAR(200) NOT NULL,
    checksum CHAR(64) NOT NULL,
    applied_at DATETIME(3) NOT NULL,
    PRIMARY KEY (component, version)
  ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4`;

async function readMigrations(directory: URL): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sql")).sort();
  return await Promise.all(files.map((file) => readMigration(directory, file)));
}

async function readMigration(directory: URL, file: string): Promise<Migration> {
  const [, version, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
  if (version === undefined || name === undefined) throw new Error(`${file}: name it like 0001_create_orders.sql`);
  const base = directory.href.endsWith("/") ? directory : new URL(`${directory.href}/`);
  // A checkout with CRLF is the same migration.
  const script = (await readFile(new URL(file, base), "utf8")).replaceAll("\r\n", "\n");
  return {
    version: Number(version),
    name,
    file,
    checksum: hash("sha256", script),
    statements: splitStatements(script),
  };
}

/** Which migrations are still to be applied. @throws Error if files and schema do not fit together */
function pendingMigrations(migrations: readonly Migration[], applied: readonly AppliedRow[]): Migration[] {
  const checksums = new Map(applied.map((row) => [row.version, row.checksum]));
  const latest = Math.max(0, ...checksums.keys());
  const seen = new Map<number, string>();
  return migrations.filter((migration) => {
    const { version, file } = migration;
    const twin = seen.get(version);
    if (twin !== undefined) throw new Error(`${file}: has the same number as ${twin}`);
    seen.set(version, file);
    const checksum = checksums.get(version);
    if (checksum === migration.checksum) return false;
    if (checksum !== undefined)
      throw new Error(`${file}: was edited after it had been applied; add a new migration instead`);
    if (version < latest) throw new Error(`${file}: comes after ${latest} had been applied; give it a higher number`);
    return true;
  });
}

async function apply(session: DatabaseSession, component: string, migration: Migration): Promise<void> {
  const { version, name, file, checksum } = migration;
  for (const [index, statement] of migration.statements.entries()) {
    try {
      await session.script(`${component}.${name}`, statement);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file}: statement ${index + 1}: ${why}`, { cause });
    }
  }
  await session.execute(
    `${component}.insertMigration`,
    "INSERT INTO weft_migrations (component, version, name, checksum, applied_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))",
    [component, version, name, checksum],
  );
}

async function locked(session: DatabaseSession, component: string, work: () => Promise<void>): Promise<void> {
  // Locks are the server's, not the schema's, hence the schema in the name. It goes with the session's connection.
  const [row] = await session.query<{ locked: number | null }>(
    `${component}.lockMigrations`,
    "SELECT GET_LOCK(CONCAT('weft_migrate_', MD5(DATABASE())), ?) AS locked",
    [lockTimeoutS],
  );
  if (Number(row?.locked) !== 1)
    throw new Error(`${component}: another starter has been migrating for ${lockTimeoutS} s`);
  await work();
}
