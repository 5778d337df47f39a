import { setTimeout as pause } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { currentSignal, runDetached } from "../context/call-context.ts";
import type { Clock } from "../contract/clock.ts";
import { errorReason, rpcError } from "../contract/errors.ts";
import type { ReplayPhase, ReplayProgress } from "../contract/event-operations.ts";
import { isConflict, isNoSuchTable } from "../data/errors.ts";
import type { Database, DatabaseSession } from "../data/queryable.ts";
import { freshName, type ProjectionCopy, type RebuildableProjection, replacedName } from "./projection.ts";
import { estimateRows, readTableNote, tableNote } from "./table-status.ts";

export interface ReplayDeps {
  readonly database: Database;
  readonly clock: Clock;
}

/** A rename waits this long for whoever uses the tables; those who come after wait behind it, so it gives up and tries again. */
const swapWaitS = 1;
const swapAttemptsMax = 10;
const swapPauseMs = 200;
/** For what must not stop half way: making tables, swapping them, and the catching up after that. */
const detachedTimeoutMs = 600_000;

/**
 * Makes a projection anew in fresh tables and puts them in the place of the old ones by one RENAME. Whatever stops it before that, a
 * caller who leaves included, leaves everything as it was; a process that dies leaves fresh tables, which the next replay drops.
 *
 * @param by who does it, for those who come meanwhile
 * @param report told of each step
 * @throws ConnectError ABORTED (REPLAY_RUNNING) if somebody else is at it
 */
export async function replayProjection(
  { database, clock }: ReplayDeps,
  projection: RebuildableProjection,
  by: string,
  report: (progress: ReplayProgress) => void,
): Promise<ReplayProgress> {
  const meter = createMeter(clock, report);
  const names = projection.tables.map(({ name }) => name);
  const fresh: ProjectionCopy = { database, table: known(names, freshName), progress: meter.read };
  const live: ProjectionCopy = { database, table: known(names, (name) => name), progress: () => {} };

  const replay = async (session: DatabaseSession): Promise<ReplayProgress> => {
    try {
      await detached(() => makeTables(session, projection, tableNote(by, new Date(clock.now()))));
      meter.expect(await estimateRows(database, projection.sizedLike ?? projection.source));
      await projection.fill(fresh);
      meter.enter("catching up");
      await projection.catchUp(fresh, (name) => name);
    } catch (error) {
      await dropFresh(database, projection);
      throw error;
    }
    // From here on whatever becomes of the caller: a rename that nobody waits for may happen all the same.
    return await detached(async () => {
      meter.enter("swapping");
      await swap(session, projection).catch(async (error: unknown) => {
        // Of tables that were renamed all the same nothing is left that has this name.
        await dropFresh(database, projection);
        throw error;
      });
      meter.enter("finishing");
      return meter.end(await finishSwap(session, projection, live));
    });
  };
  return await database.session(`${projection.name}.replay`, async (session) => {
    await lock(session, database, projection);
    const { during = (work) => work() } = projection;
    return await during(() => replay(session));
  });
}

/**
 * For the start of a service: makes a projection that is empty, as after a migration, or finishes a swap. Whoever is at it already, in
 * another process, does it.
 */
export async function ensureFilled(deps: ReplayDeps, projection: RebuildableProjection, by: string): Promise<void> {
  const { database } = deps;
  const first = projection.tables[0]?.name ?? "";
  if (await isEmpty(database, projection, first)) {
    const running = (error: unknown) => error instanceof ConnectError && errorReason(error) === "REPLAY_RUNNING";
    await replayProjection(deps, projection, by, () => {}).catch((error: unknown) => {
      if (!running(error)) throw error;
    });
    return;
  }
  await finishReplay(deps, projection);
}

/** For the start of a service: finishes what a process has left that died between the swap and its end. */
export async function finishReplay({ database }: ReplayDeps, projection: RebuildableProjection): Promise<void> {
  const first = projection.tables[0]?.name ?? "";
  if ((await readTableNote(database, replacedName(first))) === undefined) return;
  await database.session(`${projection.name}.finishReplay`, async (session) => {
    // Whoever has the lock is alive, and finishes it himself.
    if (!(await tryLock(session, projection))) return;
    await finishSwap(session, projection, { database, table: (name) => name, progress: () => {} });
  });
}

async function isEmpty(database: Database, { name }: RebuildableProjection, table: string): Promise<boolean> {
  try {
    return (await database.query(`${name}.findAny`, `SELECT 1 FROM ${table} LIMIT 1`)).length === 0;
  } catch (error) {
    if (isNoSuchTable(error)) return true;
    throw error;
  }
}

async function finishSwap(
  session: DatabaseSession,
  projection: RebuildableProjection,
  live: ProjectionCopy,
): Promise<number> {
  await projection.catchUp(live, replacedName);
  const removed = (await projection.countRemoved?.(live, replacedName)) ?? 0;
  await drop(session, projection, replacedName);
  return removed;
}

async function lock(session: DatabaseSession, database: Database, projection: RebuildableProjection): Promise<void> {
  if (await tryLock(session, projection)) return;
  const note = await readTableNote(database, freshName(projection.tables[0]?.name ?? ""));
  const who = note?.by === undefined ? "somebody" : `${note.by}, since ${note.at?.toISOString()}`;
  throw rpcError(Code.Aborted, `${projection.name} is being made anew by ${who}`, {
    reason: "REPLAY_RUNNING",
    domain: "weft",
    metadata: { by: note?.by ?? "" },
  });
}

// Locks are the server's, not the schema's, and their names are short.
const lockName = "CONCAT('weft_replay_', MD5(CONCAT(DATABASE(), '.', ?)))";

/** Whether somebody is making a projection anew at this moment: a process that was killed leaves its tables, and no lock. */
export async function isReplaying(database: Database, name: string): Promise<boolean> {
  const sql = `SELECT IS_USED_LOCK(${lockName}) AS holder`;
  const [row] = await database.query<{ holder: number | string | null }>("events.findReplay", sql, [name]);
  return row?.holder !== null;
}

/** It goes with the session's connection, which is also the one that renames: who has lost the lock cannot swap. */
async function tryLock(session: DatabaseSession, { name }: RebuildableProjection): Promise<boolean> {
  const [row] = await session.query<{ locked: number | string | null }>(
    `${name}.lockReplay`,
    `SELECT GET_LOCK(${lockName}, 0) AS locked`,
    [name],
  );
  return Number(row?.locked) === 1;
}

function detached<T>(work: () => Promise<T>): Promise<T> {
  return runDetached({ timeoutMs: detachedTimeoutMs }, work);
}

/** Best effort: what is left over the next replay drops. In a session of its own, since the other may have ended with the caller. */
async function dropFresh(database: Database, projection: RebuildableProjection): Promise<void> {
  const work = () =>
    database.session(`${projection.name}.dropFresh`, (session) => drop(session, projection, freshName));
  await detached(work).catch(() => {});
}

async function makeTables(session: DatabaseSession, projection: RebuildableProjection, note: string): Promise<void> {
  await drop(session, projection, freshName);
  await drop(session, projection, replacedName);
  for (const { name, create } of projection.tables) {
    // If somebody has dropped it: consumers go on, and there is one to swap with.
    await session.script(`${projection.name}.restoreTable`, ifNotExists(create(name)));
    await session.script(`${projection.name}.createFresh`, create(freshName(name)));
    await session.script(`${projection.name}.noteFresh`, `ALTER TABLE ${freshName(name)} COMMENT = '${note}'`);
  }
}

function ifNotExists(sql: string): string {
  return sql.replace(/^\s*CREATE TABLE (?!IF)/i, "CREATE TABLE IF NOT EXISTS ");
}

async function swap(session: DatabaseSession, { name, tables }: RebuildableProjection): Promise<void> {
  const renames = tables.flatMap((table) => [
    `${table.name} TO ${replacedName(table.name)}`,
    `${freshName(table.name)} TO ${table.name}`,
  ]);
  await session.script(`${name}.limitSwap`, `SET SESSION lock_wait_timeout = ${swapWaitS}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.script(`${name}.swap`, `RENAME TABLE ${renames.join(", ")}`);
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (attempt >= swapAttemptsMax) {
        const message = `${name}: somebody has been using its tables for ${swapAttemptsMax} attempts to swap them (swapAttemptsMax)`;
        throw rpcError(Code.Aborted, message, { reason: "REPLAY_SWAP_TIMEOUT", domain: "weft", cause: error });
      }
      await pause(swapPauseMs, undefined, { signal: currentSignal() }).catch(() => {});
    }
  }
}

async function drop(
  session: DatabaseSession,
  { name, tables }: RebuildableProjection,
  nameOf: (table: string) => string,
): Promise<void> {
  for (const table of tables) {
    await session.script(`${name}.dropTable`, `DROP TABLE IF EXISTS ${nameOf(table.name)}`);
  }
}

function known(names: readonly string[], nameOf: (table: string) => string): (table: string) => string {
  return (table) => {
    if (!names.includes(table)) throw new Error(`the projection has no table ${table}`);
    return nameOf(table);
  };
}

function createMeter(clock: Clock, report: (progress: ReplayProgress) => void) {
  const startedMs = clock.monotonic();
  let phase: ReplayPhase = "filling";
  let done = 0;
  let total = 0;
  let rows = 0;
  let filledMs: number | undefined;
  const snapshot = (removed = 0): ReplayProgress => {
    const elapsedMs = Math.max(1, (filledMs ?? clock.monotonic()) - startedMs);
    return { phase, done, total: Math.max(done, total), eventsPerSecond: (done * 1000) / elapsedMs, rows, removed };
  };
  return {
    expect(events: number) {
      total = events;
      report(snapshot());
    },
    read(events: number, made: number) {
      done += events;
      rows += made;
      report(snapshot());
    },
    enter(next: ReplayPhase) {
      // How many there were is known by now.
      total = done;
      filledMs ??= clock.monotonic();
      phase = next;
      report(snapshot());
    },
    end(removed: number): ReplayProgress {
      phase = "done";
      report(snapshot(removed));
      return snapshot(removed);
    },
  };
}
