import type { Clock } from "@weft/mesh/contract";
import type { Database, Transaction } from "@weft/mesh/data";
import type { ProjectionCopy, RebuildableProjection } from "@weft/mesh/events";
import { type Day, dayOf, firstDayOf, rollUp } from "./domain.ts";
import { type FactRow, toFact } from "./rows.ts";
import { sumTables } from "./sum-tables.ts";
import { createRollUpStore, rollUpStore } from "./sums.ts";
import { takeOver } from "./sums-take-over.ts";
import { factRetentionDays } from "./usecases.ts";

/** Facts that one statement reads and one transaction adds. */
const pageSize = 2_000;
const dayMs = 86_400_000;
/** Later than any day: fresh scores are added up at the end. */
const never: Day = "9999-12-31";

export interface SumsProjectionDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Copies the new scores to Redis. */
  readonly rebuildLeaderboard: () => Promise<unknown>;
}

/**
 * All that the facts add up to. Facts are kept for 90 days: days of which all are there are added up anew, older ones are taken over as
 * they are. For as long as it takes nothing is added to the sums; facts are kept, and added to the new sums after.
 */
export function createSumsProjection({
  database,
  clock,
  rebuildLeaderboard,
}: SumsProjectionDeps): RebuildableProjection {
  let window: Transaction | undefined;
  const holdWindow = async (): Promise<Day> => {
    if (window === undefined) throw new Error("the sums are not locked");
    // And nothing else: what this transaction has read cannot be renamed. Fails if the connection is gone, and with it the lock that keeps the roll-up away.
    return await rollUpStore.lockWindow(window);
  };
  return {
    name: "sums",
    tables: sumTables,
    source: "facts",

    during: (replay) =>
      database.transaction("analytics.holdSums", async (tx) => {
        window = tx;
        try {
          await holdWindow();
          return await replay();
        } finally {
          window = undefined;
        }
      }),

    async fill(copy) {
      const firstDay = await holdWindow();
      const since = firstDayOf(clock.now(), factRetentionDays);
      await takeOver(copy, since);
      await addFacts(copy, since);
      await addScores(copy, firstDay, clock.now());
    },

    async catchUp(copy) {
      const isLive = copy.table("product_scores") === "product_scores";
      if (isLive) await rebuildLeaderboard();
      else await holdWindow();
    },
  };
}

/** Adds up all facts of these days that are in the old sums; the others are added by the next roll-up. */
async function addFacts(copy: ProjectionCopy, since: Day): Promise<void> {
  const { database, table, progress } = copy;
  const sums = createRollUpStore(table);
  for (let after = "0"; ; ) {
    const rows = await database.query<FactRow & { readonly rolled_up: number }>(
      "analytics.selectFactPage",
      `SELECT id, event_id, kind, aggregate_id, occurred_at, currency_code, minor_units, order_lines, rolled_up
       FROM facts WHERE id > ? ORDER BY id LIMIT ?`,
      [after, pageSize],
    );
    const added = rows.filter((row) => Number(row.rolled_up) === 1).map(toFact);
    const facts = added.filter(({ occurredAt }) => dayOf(occurredAt.getTime()) >= since);
    if (facts.length > 0) {
      const orderIds = facts.filter(({ kind }) => kind.startsWith("Order")).map(({ aggregateId }) => aggregateId);
      await database.transaction("analytics.replayFacts", async (tx) => {
        const known = await sums.findOrders(tx, [...new Set(orderIds)]);
        await sums.add(tx, rollUp(facts, known), never);
      });
    }
    progress(rows.length, facts.length);
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last.id;
  }
}

/** The leaderboard's days, added up. Each score's version is one that no score had: whoever copies an old one marks no new one as copied. */
async function addScores({ database, table }: ProjectionCopy, firstDay: Day, version: number) {
  const days = createRollUpStore(table);
  for (let day: Day | undefined = firstDay; day !== undefined; ) {
    day = await days.nextSalesDay(database, day, never);
    if (day === undefined) return;
    await database.execute(
      "analytics.replayScores",
      `INSERT INTO ${table("product_scores")} (sku, quantity, version, dirty)
       SELECT sku, quantity, ?, TRUE FROM ${table("sales_daily")} WHERE day = ?
       ON DUPLICATE KEY UPDATE quantity = ${table("product_scores")}.quantity + VALUES(quantity)`,
      [version, day],
    );
    day = dayOf(Date.parse(day) + dayMs);
  }
}
