import { Code } from "@connectrpc/connect";
import { currentSignal, runAs, runDetached } from "../context/call-context.ts";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import type { SpanOptions, Telemetry } from "../telemetry/telemetry.ts";
import { measureDueRows } from "./due-rows-metrics.ts";
import { endWait, type OverdueRow, type StuckAfter, selectOverdue } from "./due-rows-overdue.ts";
import {
  bornLeaseToken,
  type ClaimedRow,
  claimDueRows,
  giveAllBack,
  giveBack,
  giveBackTogether,
  type RowsOf,
  renewLeases,
} from "./due-rows-table.ts";
import { isLeaseLost, leaseLost } from "./lease-lost.ts";
import type { Database } from "./queryable.ts";
import { createRunEnds } from "./run-ends.ts";

/**
 * Work that is a row: a saga to drive on, a capture to make, an e-mail to send. A transaction makes the row due; any instance
 * takes it, with a lease that keeps others from it and that runs out after a crash.
 *
 * The table has these columns beside its own, and an index on next_attempt_at:
 *
 *     next_attempt_at DATETIME(3) NULL,  -- when it is due; NULL: there is nothing to do
 *     lease_owner VARCHAR(64) NULL,
 *     lease_until DATETIME(3) NULL,
 *     lease_token BIGINT UNSIGNED NOT NULL DEFAULT 0, -- claims so far
 *     attempts INT UNSIGNED NOT NULL,    -- runs begun since the work last got on
 *     failures INT UNSIGNED NOT NULL DEFAULT 0, -- runs in a row that failed
 *     last_error VARCHAR(500) NULL,      -- what the last run failed with; NULL: it did not
 *     traceparent VARCHAR(64) NULL       -- W3C: the trace that a run continues
 *
 * A lease is no lock, since a process can be frozen past its lease. So each claim has a token, one more than the claim before: what a
 * run commits for its row carries `AND lease_token = ?`, and is refused with leaseLost() once another has claimed it. What it asks
 * of others must be safe to ask twice.
 */
export interface DueRowsOptions {
  /** "order.sagas": names statements, spans and metrics. */
  readonly name: string;
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly table: string;
  /** The primary key, one column of text. */
  readonly keyColumn: string;
  /** Of a table that several workers share, the rows of this one; its index is then on (column, next_attempt_at). */
  readonly only?: RowsOf;
  /**
   * Does what is due for one row. Its own commit says what is next: next_attempt_at NULL or another time, attempts back to 0 if
   * it got on. Or it returns when to look again. If it throws, the row is due again after a backoff.
   */
  readonly run: (row: DueRow) => Promise<{ readonly againInMs: number } | undefined>;
  /** Rows that this process works on at once, those born leased apart. */
  readonly concurrency?: number;
  /** Rows born leased that this process works on at once. */
  readonly leasedMax?: number;
  /** Time without a sign of life after which another instance takes over. Renewed three times within it. */
  readonly leaseMs?: number;
  /** One run at most. */
  readonly runTimeoutMs?: number;
  /** The net below wake(): finds what other instances have made due, or left. */
  readonly pollIntervalMs?: number;
  /** After a failed run: random between half and all of min(max, first * 2^(attempts - 1)). */
  readonly backoffMs?: { readonly first: number; readonly max: number };
  /** Time that runs under way have to end in when the worker is disposed of. */
  readonly drainTimeoutMs?: number;
  /** When a row is listed, and counted in the metrics, as one that does not get on. Nothing is ever given up here. */
  readonly stuckAfter?: Partial<StuckAfter>;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface DueRow {
  readonly key: string;
  /** Runs begun since the work last got on, this one included. */
  readonly attempts: number;
  /** Of this run's claim: its commits are on condition that the row still has it. */
  readonly leaseToken: bigint;
}

/** What to write into a row that is born leased to this process, with attempts = 1. */
export interface RowLease {
  readonly owner: string;
  readonly until: Date;
  readonly leaseToken: bigint;
  readonly dueAt: Date;
  readonly traceparent: string | null;
}

/** Runs due rows until disposed of. */
export interface DueRowsWorker extends AsyncDisposable {
  /** Looks at once instead of at the next poll. To be called after the commit that made a row due. */
  wake(): void;
  /** A lease for a row about to be inserted. @throws ConnectError RESOURCE_EXHAUSTED if leasedMax rows are under way */
  lease(): RowLease;
  /** Runs a row that was committed with such a lease, whatever becomes of the caller. Never rejects: what fails is due again. */
  runLeased(key: string, lease: RowLease): Promise<void>;
  readonly stuckAfter: StuckAfter;
  /** Rows that do not get on (`stuckAfter`, unless another measure is given), those due longest first. */
  listOverdue(limit: number, after?: StuckAfter): Promise<OverdueRow[]>;
  /** Ends a row's wait for its next attempt. Answers whether it did: not if nothing is due, or it is being run at this moment. */
  retry(key: string): Promise<boolean>;
}

/** A run that fails for the tenth time is no passing trouble any more: logged as an error, and listed. */
const stuckAfterFailures = 10;
/** No bound: some work is asked about for hours, and gets on all the same. */
const attemptsUnbounded = 0xffff_ffff;
/** Far longer than a lease and a poll take. */
const stuckAfterDueForMs = 60_000;
/** Time for cut-off runs to notice. */
const abortTimeoutMs = 1_000;

/** Starts a worker for one table. */
export function createDueRowsWorker(options: DueRowsOptions): DueRowsWorker {
  const { name, telemetry, clock = systemClock, random = Math.random } = options;
  const { concurrency = 8, leasedMax = 256, leaseMs = 5_000, runTimeoutMs = 20_000, drainTimeoutMs = 5_000 } = options;
  const { pollIntervalMs = 1_000, backoffMs = { first: 500, max: 30_000 } } = options;
  const { logger } = telemetry;
  const owner = `${telemetry.service}-${Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join("")}`;
  const { database, table, keyColumn, only } = options;
  const at = { name, database, table, keyColumn, only, owner };
  const defaults = { failures: stuckAfterFailures, attempts: attemptsUnbounded, dueForMs: stuckAfterDueForMs };
  const stuckAfter: StuckAfter = { ...defaults, ...options.stuckAfter };
  const running = new Map<string, { readonly cut: AbortController; readonly done: Promise<void> }>();
  const runs = telemetry.meter.createCounter("weft.due_rows.runs", { description: "Runs of due rows by outcome" });
  const pauses = createPauses();
  const ends = createRunEnds({
    write: (rows) => giveBackTogether(at, rows),
    // The leases run out by themselves.
    onError: (error) => logger.warn("cannot give rows back", { worker: name, error }),
  });
  const leaseEnd = () => new Date(clock.now() + leaseMs);
  let leased = 0;
  let stopped = false;
  /** The last look filled all places, so more may be due. */
  let moreDue = false;

  async function look(): Promise<void> {
    while (!stopped) {
      try {
        const limit = concurrency - (running.size - leased);
        const claim = { now: new Date(clock.now()), until: leaseEnd(), limit, skip: (key: string) => running.has(key) };
        const rows = limit > 0 ? await claimDueRows(at, claim) : [];
        moreDue = rows.length === limit || limit <= 0;
        for (const row of rows) void runClaimed(row);
      } catch (error) {
        logger.warn("cannot look for due rows", { worker: name, error });
      }
      await pauses.pause(pollIntervalMs * (0.75 + random() / 2));
    }
  }

  async function runClaimed(row: ClaimedRow): Promise<void> {
    const { traceparent } = row;
    await start(row, traceparent === null ? {} : { parent: telemetry.extract({ traceparent }) });
    if (moreDue) pauses.wake();
  }

  function start(row: ClaimedRow, span: SpanOptions): Promise<void> {
    const cut = new AbortController();
    const attributes = { "weft.row.key": row.key, "weft.row.attempts": row.attempts };
    const work = () => telemetry.span(`${name} run`, { ...span, attributes }, () => runAndGiveBack(row, cut.signal));
    const done = runDetached({ timeoutMs: runTimeoutMs }, work)
      // The lease runs out by itself, and the row is still due.
      .catch((error) => logger.warn("cannot give a row back", { worker: name, key: row.key, error }))
      .finally(() => running.delete(row.key));
    running.set(row.key, { cut, done });
    return done;
  }

  async function runAndGiveBack(row: ClaimedRow, cut: AbortSignal): Promise<void> {
    const { key, attempts, leaseToken } = row;
    let nextAttemptAt: Date | undefined;
    let failure: string | undefined;
    try {
      const timeout = currentSignal();
      const signal = timeout === undefined ? cut : AbortSignal.any([cut, timeout]);
      const again = await runAs({ signal }, () => options.run({ key, attempts, leaseToken }));
      if (again !== undefined) nextAttemptAt = new Date(clock.now() + again.againInMs);
      runs.add(1, { worker: name, outcome: again === undefined ? "done" : "again" });
    } catch (error) {
      if (isLeaseLost(error)) {
        runs.add(1, { worker: name, outcome: "fenced" });
        logger.warn("due row left to another instance", { worker: name, key, attempts, error });
        return;
      }
      failure = error instanceof Error ? error.message : String(error);
      const delayMs = Math.min(backoffMs.max, backoffMs.first * 2 ** Math.min(attempts - 1, 30)) * (0.5 + random() / 2);
      nextAttemptAt = new Date(clock.now() + delayMs);
      runs.add(1, { worker: name, outcome: "failed" });
      const level = attempts < stuckAfter.failures ? "warn" : "error";
      logger[level]("due row failed", { worker: name, key, attempts, retry_in_ms: Math.round(delayMs), error });
    }
    if (nextAttemptAt === undefined && failure === undefined) return ends.add(row);
    // A deadline of its own: a run that was cut off must be able to say so.
    await runDetached({ timeoutMs: leaseMs }, () => giveBack(at, row, { nextAttemptAt, error: failure }));
  }

  async function renew(): Promise<void> {
    if (running.size === 0) return;
    for (const key of await renewLeases(at, [...running.keys()], leaseEnd())) {
      running.get(key)?.cut.abort(leaseLost(name, key));
    }
  }

  const counts = () => ({ claimed: running.size - leased, bornLeased: leased });
  const listOverdue = (limit: number, after = stuckAfter) =>
    selectOverdue(at, { now: new Date(clock.now()), after, limit });
  const stopMeasuring = measureDueRows(telemetry, at, { counts, listOverdue, now: clock.now });
  const renewal = setInterval(() => {
    renew().catch((error) => logger.warn("cannot renew leases", { worker: name, error }));
  }, leaseMs / 3);
  const looking = look();

  return {
    wake: pauses.wake,
    lease() {
      if (leased >= leasedMax) {
        const message = `${name}: this instance works on ${leasedMax} rows (leasedMax) already`;
        throw rpcError(Code.ResourceExhausted, message, {
          reason: "TOO_MUCH_UNDER_WAY",
          domain: "weft",
          retryDelayMs: 500,
        });
      }
      const { traceparent = null } = telemetry.inject();
      return { owner, until: leaseEnd(), leaseToken: bornLeaseToken, dueAt: new Date(clock.now()), traceparent };
    },
    async runLeased(key, lease) {
      leased += 1;
      try {
        await start({ key, attempts: 1, ...lease }, {});
      } finally {
        leased -= 1;
      }
    },
    stuckAfter,
    listOverdue,
    async retry(key) {
      const done = await endWait(at, key, new Date(clock.now()));
      pauses.wake();
      return done;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      stopMeasuring();
      pauses.wake();
      await looking;
      await settleWithin(running, drainTimeoutMs);
      for (const { cut } of running.values()) cut.abort(rpcError(Code.Unavailable, `${name}: this instance stops`));
      await settleWithin(running, abortTimeoutMs);
      clearInterval(renewal);
      await ends.flush();
      await giveAllBack(at).catch((error) => logger.warn("cannot give leases back", { worker: name, error }));
    },
  };
}

/** Pauses that can be cut short; a wake() while there is none cuts the next one. */
function createPauses(): { pause(ms: number): Promise<void>; wake(): void } {
  let woken = false;
  let end: (() => void) | undefined;
  return {
    async pause(ms) {
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          end = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      end = undefined;
      woken = false;
    },
    wake() {
      woken = true;
      end?.();
    },
  };
}

async function settleWithin(running: ReadonlyMap<string, { readonly done: Promise<void> }>, timeoutMs: number) {
  if (running.size === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.all([...running.values()].map(({ done }) => done)), timeout]);
  clearTimeout(timer);
}
