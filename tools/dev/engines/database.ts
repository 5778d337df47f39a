import { createConnection } from "mysql2/promise";

/** Makes a schema and a user of the same name that may do everything in it and nothing elsewhere; answers with its URL. Idempotent. */
export async function createDatabaseAndUser(adminUrl: string, name: string, password: string): Promise<string> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`"${name}" is no name for a schema`);
  await withConnection(adminUrl, async (execute) => {
    await execute(`CREATE DATABASE IF NOT EXISTS \`${name}\` CHARACTER SET utf8mb4`);
    for (const host of ["127.0.0.1", "localhost", "%"]) {
      await execute(`CREATE USER IF NOT EXISTS ?@? IDENTIFIED BY ?`, [name, host, password]);
      await execute(`ALTER USER ?@? IDENTIFIED BY ?`, [name, host, password]);
      await execute(`GRANT ALL PRIVILEGES ON \`${name}\`.* TO ?@?`, [name, host]);
    }
  });
  return databaseUrl(adminUrl, name, password);
}

/** The URL of a schema and its user, who has the schema's name. */
export function databaseUrl(adminUrl: string, name: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = name;
  url.password = password;
  url.pathname = `/${name}`;
  return url.href;
}

/** Removes a schema and its user. */
export async function dropDatabaseAndUser(adminUrl: string, name: string): Promise<void> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`"${name}" is no name for a schema`);
  await withConnection(adminUrl, async (execute) => {
    await execute(`DROP DATABASE IF EXISTS \`${name}\``);
    for (const host of ["127.0.0.1", "localhost", "%"]) await execute(`DROP USER IF EXISTS ?@?`, [name, host]);
  });
}

/** Whether a statement can be run; throws while it cannot. */
export async function probeDatabase(url: string): Promise<boolean> {
  await withConnection(url, (execute) => execute("SELECT 1"));
  return true;
}

async function withConnection(
  url: string,
  work: (execute: (sql: string, values?: readonly string[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
  try {
    await work(async (sql, values) => {
      await connection.query(sql, [...(values ?? [])]);
    });
  } finally {
    await connection.end().catch(() => connection.destroy());
  }
}
