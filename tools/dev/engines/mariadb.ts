import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startChild } from "../processes/child.ts";
import { findExecutable } from "../processes/executables.ts";
import { probeDatabase } from "./database.ts";
import { dockerArguments } from "./docker.ts";
import type { EngineKind, LaunchOptions } from "./engine.ts";
import { giveTo, mariadbUser } from "./mariadb-user.ts";

const run = promisify(execFile);

// A password for an engine that listens on 127.0.0.1 only and holds demo data: it keeps clients of other engines out.
const ADMIN_PASSWORD = "weft";

/** MariaDB with the durable settings the shop relies on, on a copy of a data folder that is made once per version. */
export const mariadb: EngineKind = {
  name: "mariadb",
  urlVariable: "MYSQL_URL",
  executable: "mariadbd",
  aptPackage: "mariadb-server",
  image: "mariadb:10.11",
  url: (port) => `mysql://root:${ADMIN_PASSWORD}@127.0.0.1:${port}`,
  launch,
  probe: probeDatabase,
};

const SETTINGS = [
  // Durable: no acknowledged commit is lost by a crash.
  "--innodb-flush-log-at-trx-commit=1",
  "--sync-binlog=1",
  "--log-bin=binlog",
  "--binlog-format=ROW",
  "--max-binlog-size=64M",
  "--binlog-expire-logs-seconds=86400",
  "--server-id=1",
  "--gtid-strict-mode=ON",
  // A transaction that would act on a row version it cannot see fails instead (MariaDB 10.6.18+, 10.11.8+).
  "--innodb-snapshot-isolation=ON",
  // Small: about 100 MB resident.
  "--innodb-buffer-pool-size=64M",
  "--innodb-log-file-size=32M",
  "--performance-schema=OFF",
  "--max-connections=500",
  "--skip-name-resolve",
  "--character-set-server=utf8mb4",
  "--collation-server=utf8mb4_unicode_ci",
  "--default-time-zone=+00:00",
];

async function launch(options: LaunchOptions) {
  if (options.program.kind === "image") return launchContainer(options, options.program);
  const { file } = options.program;
  const { port, directory } = options;
  await mkdir(directory, { recursive: true });
  const user = await mariadbUser(directory);
  const data = join(directory, "data");
  if (!(await exists(data))) {
    const template = await ensureTemplate(file, options.cacheDirectory);
    await publish(directory, data, (folder) => cp(template, folder, { recursive: true }));
  }
  const initFile = join(directory, "init.sql");
  await writeFile(initFile, adminStatements());
  await giveTo(user, [data, initFile]);
  return startChild({
    name: "mariadb",
    command: file,
    args: [
      "--no-defaults",
      ...["--bind-address=127.0.0.1", `--port=${port}`, `--datadir=${data}`, `--init-file=${initFile}`],
      // No unix socket: its path has to be shorter than 108 bytes, and folders of clones are not always.
      "--socket=",
      `--pid-file=${join(data, "mariadbd.pid")}`,
      ...(user ? [`--user=${user.name}`] : []),
      ...SETTINGS,
    ],
    env: process.env,
    logFile: options.logFile,
    ...(user && user.uid !== 0 ? { user } : {}),
  });
}

/** An empty data folder of this version, made once: a start from a copy takes a third of the time. */
async function ensureTemplate(file: string, cacheDirectory: string): Promise<string> {
  const { stdout } = await run(file, ["--version"]);
  const version = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "unknown";
  const template = join(cacheDirectory, `mariadb-${version}`);
  if (await exists(template)) return template;
  const install = findExecutable("mariadb-install-db") ?? findExecutable("mysql_install_db");
  if (install === undefined) throw new Error(`mariadb-install-db is missing beside ${file}`);
  await mkdir(cacheDirectory, { recursive: true });
  await publish(cacheDirectory, template, async (folder) => {
    const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
    await run(install, [
      ...["--no-defaults", `--datadir=${folder}`, ...asRoot, "--skip-test-db", "--skip-name-resolve"],
      ...["--auth-root-authentication-method=normal", "--innodb-log-file-size=32M"],
      // Without it a machine whose own name cannot be looked up (a bare container) is refused.
      "--force",
    ]);
  });
  return template;
}

/** Makes `target` whole or not at all: filled under another name, then renamed. Whoever comes second keeps the first's. */
async function publish(parent: string, target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const unfinished = join(parent, `unfinished-${randomUUID()}`);
  try {
    await fill(unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(target))) throw error;
  }
}

/** Run by the server at each start, before it listens. */
function adminStatements(): string {
  return [
    `CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';`,
    `ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '${ADMIN_PASSWORD}';`,
    `GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;`,
    "",
  ].join("\n");
}

async function launchContainer(options: LaunchOptions, program: Extract<LaunchOptions["program"], { kind: "image" }>) {
  await mkdir(join(options.directory, "data"), { recursive: true });
  return startChild({
    name: "mariadb",
    command: program.docker,
    args: dockerArguments({
      program,
      port: options.port,
      insidePort: 3306,
      directory: join(options.directory, "data"),
      insideDirectory: "/var/lib/mysql",
      environment: { MARIADB_ROOT_PASSWORD: ADMIN_PASSWORD, MARIADB_ROOT_HOST: "%" },
      args: SETTINGS,
    }),
    env: process.env,
    logFile: options.logFile,
  });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
