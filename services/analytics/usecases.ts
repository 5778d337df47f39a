import { Code, ConnectError } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import type { Database, Queryable, Transaction } from "@weft/mesh/data";
import type { Logger } from "@weft/mesh/telemetry";
import {
  type Day,
  dayOf,
  type Fact,
  firstDayOf,
  invalid,
  type OrderSale,
  type RevenueMinute,
  type RollUp,
  rollUp,
  type Score,
} from "./domain.ts";

/** The leaderboard's window, today included. */
export const leaderboardDays = 30;
/** Facts that one transaction of the roll-up adds to the sums. */
const rollUpFactsMax = 1_000;
/** Changed products that one command copies to Redis. */
const copyScoresMax = 500;
/** Steps of a job before its lease is renewed by a new run. */
const stepsMax = 20;
const rebuildAttemptsMax = 5;
/** Facts, and what is known of orders. */
export const factRetentionDays = 90;
const salesRetentionDays = 400;
const purgeRowsMax = 1_000;
const revenueSpanMaxMs = 86_400_000;
const pageSizeDefault = 10;

/** The roll-up's tables, in its transaction. */
export interface RollUpStore {
  /** Locks the sums, and answers with the leaderboard's first day. */
  lockWindow(tx: Transaction): Promise<Day>;
  /** Facts that are in no sum yet. */
  pendingFacts(tx: Transaction, limit: number): Promise<(Fact & { readonly id: bigint })[]>;
  findOrders(tx: Transaction, orderIds: readonly string[]): Promise<OrderSale[]>;
  /** Adds to the sums; to the scores only what was sold on firstDay or later. */
  add(tx: Transaction, sums: RollUp, firstDay: Day): Promise<void>;
  markRolledUp(tx: Transaction, ids: readonly bigint[]): Promise<void>;
  /** The first day before `until`, from `from` on, on which something was sold. */
  nextSalesDay(database: Queryable, from: Day, until: Day): Promise<Day | undefined>;
  /** Takes a day's sales out of the scores. */
  subtractDay(tx: Transaction, day: Day): Promise<void>;
  moveWindow(tx: Transaction, firstDay: Day): Promise<void>;
}

/** The scores, as the database has them. */
export interface ScoreStore {
  listTop(after: Score | undefined, limit: number): Promise<Score[]>;
  /** All products that have ever been sold, in pieces. */
  all(): AsyncIterable<readonly Score[]>;
  /** Scores that have changed since they were copied. */
  changed(limit: number): Promise<(Score & { readonly version: bigint })[]>;
  /** Marks as copied those that still have that version. */
  markCopied(scores: readonly { readonly sku: string; readonly version: bigint }[]): Promise<void>;
}

/** The copy of the scores in Redis. Its methods throw UNAVAILABLE while Redis is away. */
export interface Leaderboard {
  /** Those with a score above 0; undefined if Redis has no leaderboard. */
  listTop(after: Score | undefined, limit: number): Promise<Score[] | undefined>;
  /** Sets these scores; false, and nothing is done, if Redis has no leaderboard. */
  set(scores: readonly Score[]): Promise<boolean>;
  /** Puts a new leaderboard in the place of the old; answers with its length, or undefined if `set` was called meanwhile. */
  replace(scores: AsyncIterable<readonly Score[]>): Promise<number | undefined>;
}

export interface RollUpDeps {
  readonly database: Pick<Database, "transaction">;
  readonly sums: RollUpStore;
  readonly clock: Clock;
}

/** Adds pending facts to the sums. Answers with whether there may be more. */
export async function rollUpFacts({ database, sums }: RollUpDeps): Promise<boolean> {
  return await database.transaction("analytics.rollUp", async (tx) => {
    const firstDay = await sums.lockWindow(tx);
    const facts = await sums.pendingFacts(tx, rollUpFactsMax);
    if (facts.length === 0) return false;
    const orderIds = facts.filter(({ kind }) => kind.startsWith("Order")).map(({ aggregateId }) => aggregateId);
    const known = await sums.findOrders(tx, [...new Set(orderIds)]);
    await sums.add(tx, rollUp(facts, known), firstDay);
    await sums.markRolledUp(
      tx,
      facts.map(({ id }) => id),
    );
    return facts.length === rollUpFactsMax;
  });
}

/** Takes a day that is too old out of the leaderboard. Answers with whether there may be another. */
export async function moveWindow({ database, sums, clock }: RollUpDeps): Promise<boolean> {
  const target = firstDayOf(clock.now(), leaderboardDays);
  return await database.transaction("analytics.moveWindow", async (tx) => {
    const firstDay = await sums.lockWindow(tx);
    if (firstDay >= target) return false;
    const day = await sums.nextSalesDay(tx, firstDay, target);
    if (day !== undefined) await sums.subtractDay(tx, day);
    await sums.moveWindow(tx, day === undefined ? target : dayAfter(day));
    return day !== undefined;
  });
}

function dayAfter(day: Day): Day {
  return dayOf(Date.parse(day) + 86_400_000);
}

export interface LeaderboardDeps {
  readonly scores: ScoreStore;
  readonly leaderboard: Leaderboard;
}

/** Copies changed scores to Redis, or all if it has none. Answers with whether there may be more. */
export async function copyScores(deps: LeaderboardDeps): Promise<boolean> {
  const changed = await deps.scores.changed(copyScoresMax);
  if (!(await deps.leaderboard.set(changed))) await rebuildLeaderboard(deps);
  // After the copy, and only what has not changed again: whatever goes wrong, a score is copied once too often, not too seldom.
  if (changed.length > 0) await deps.scores.markCopied(changed);
  return changed.length === copyScoresMax;
}

/** Makes the leaderboard anew; answers with how many products are in it. ABORTED if scores keep being set meanwhile. */
export async function rebuildLeaderboard({ scores, leaderboard }: LeaderboardDeps): Promise<number> {
  for (let attempt = 0; attempt < rebuildAttemptsMax; attempt += 1) {
    const products = await leaderboard.replace(scores.all());
    if (products !== undefined) return products;
  }
  throw rpcError(Code.Aborted, "the leaderboard is being changed again and again, try again", {
    reason: "LEADERBOARD_CONTENDED",
  });
}

/** Removes what is older, at most `limit` rows; answers with how many it removed. */
export interface PurgeStore {
  facts(before: Date, limit: number): Promise<number>;
  orders(before: Date, limit: number): Promise<number>;
  sales(before: Day, limit: number): Promise<number>;
}

/** Removes what nobody will ask for any more. Answers with whether there may be more. */
export async function purge({ rows, clock }: { readonly rows: PurgeStore; readonly clock: Clock }): Promise<boolean> {
  const before = (days: number) => new Date(clock.now() - days * 86_400_000);
  const removed = [
    await rows.facts(before(factRetentionDays), purgeRowsMax),
    await rows.orders(before(factRetentionDays), purgeRowsMax),
    await rows.sales(dayOf(before(salesRetentionDays).getTime()), purgeRowsMax),
  ];
  return removed.includes(purgeRowsMax);
}

/** Does a step again while it says that there is more, up to stepsMax. */
export async function repeat(step: () => Promise<boolean>): Promise<void> {
  for (let steps = 1; (await step()) && steps < stepsMax; ) steps += 1;
}

export interface ReadDeps extends LeaderboardDeps {
  readonly reports: {
    /** Events by kind. */
    funnel(day: Day): Promise<ReadonlyMap<string, number>>;
    /** Minutes from `from` on, before `until`, in order. */
    revenue(range: {
      readonly from: Date;
      readonly until: Date;
      readonly currencyCode: string;
    }): Promise<RevenueMinute[]>;
  };
  readonly logger: Logger;
}

/** How many events of each kind there were on a day. */
export async function getFunnel(
  { reports }: Pick<ReadDeps, "reports">,
  day: Day,
): Promise<ReadonlyMap<string, number>> {
  const at = Date.parse(day);
  // 2026-02-30 parses, as the 2nd of March.
  if (Number.isNaN(at) || dayOf(at) !== day) throw invalid("day", "is no day of the calendar");
  return await reports.funnel(day);
}

/** Revenue by minute, of one day at most. */
export async function listRevenue(
  { reports }: Pick<ReadDeps, "reports">,
  range: { readonly from: Date; readonly until: Date; readonly currencyCode: string },
): Promise<RevenueMinute[]> {
  const spanMs = range.until.getTime() - range.from.getTime();
  if (spanMs < 0) throw invalid("until", "is before from");
  if (spanMs > revenueSpanMaxMs) throw invalid("until", "is more than a day after from");
  return await reports.revenue(range);
}

/** A page of the best-selling products. Without Redis, or while it has no leaderboard, the database answers. */
export async function listTopProducts(
  { leaderboard, scores, logger }: Pick<ReadDeps, "leaderboard" | "scores" | "logger">,
  { pageSize, after }: { readonly pageSize: number; readonly after?: Score | undefined },
): Promise<{ products: Score[]; next?: Score | undefined; degraded: boolean }> {
  const size = pageSize || pageSizeDefault;
  const copied = await leaderboard.listTop(after, size + 1).catch((error: unknown) => {
    // A Redis that is away says so elsewhere, and not once a page.
    logger[error instanceof ConnectError ? "debug" : "error"]("cannot read the leaderboard", { error });
    return undefined;
  });
  const found = copied ?? (await scores.listTop(after, size + 1));
  const products = found.slice(0, size);
  return {
    products,
    next: found.length > size ? products.at(-1) : undefined,
    degraded: copied === undefined,
  };
}
