import type { Queryable, Transaction } from "@weft/mesh/data";
import type { Fact, Score } from "./domain.ts";
import { dateTime, filled, marks } from "./rows.ts";
import type { PurgeStore, ReadDeps, ScoreStore } from "./usecases.ts";

/** Products that one statement of a rebuild reads. */
const scoresPageSize = 1_000;

interface ScoreRow {
  sku: string;
  quantity: string;
}

/** Inserts facts in one statement; those that are there already stay as they are. */
export async function insertFacts(tx: Transaction, facts: readonly Fact[]): Promise<void> {
  // As one JSON parameter: the statement's text is the same for any number of rows, so the server keeps it prepared.
  const rows = facts.map(({ eventId, kind, aggregateId, occurredAt, amount, lines }) => [
    ...[eventId, kind, aggregateId, dateTime(occurredAt)],
    ...[amount?.currencyCode ?? null, amount?.minorUnits.toString() ?? null],
    lines === undefined ? null : JSON.stringify(lines),
  ]);
  await tx.execute(
    "analytics.insertFacts",
    `INSERT INTO facts (event_id, kind, aggregate_id, occurred_at, currency_code, minor_units, order_lines)
     SELECT event_id, kind, aggregate_id, occurred_at, currency_code, minor_units, order_lines
     FROM JSON_TABLE(?, '$[*]' COLUMNS (
       event_id VARCHAR(64) PATH '$[0]', kind VARCHAR(64) PATH '$[1]', aggregate_id VARCHAR(64) PATH '$[2]',
       occurred_at DATETIME(3) PATH '$[3]', currency_code CHAR(3) PATH '$[4]', minor_units BIGINT PATH '$[5]',
       order_lines MEDIUMTEXT PATH '$[6]')) AS j
     ON DUPLICATE KEY UPDATE event_id = facts.event_id`,
    [JSON.stringify(rows)],
  );
}

/** The scores in the table `product_scores`. */
export function createScoreStore(database: Queryable): ScoreStore {
  return {
    async listTop(after, limit) {
      const rows = await database.query<ScoreRow>(
        "analytics.listTop",
        `SELECT sku, quantity FROM product_scores
         WHERE quantity > 0 AND quantity <= ? AND (quantity < ? OR sku > ?)
         ORDER BY quantity DESC, sku LIMIT ?`,
        after === undefined
          ? [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "", limit]
          : [after.quantity, after.quantity, after.sku, limit],
      );
      return rows.map(toScore);
    },

    async *all() {
      for (let after = ""; ; ) {
        const rows = await database.query<ScoreRow>(
          "analytics.listScores",
          "SELECT sku, quantity FROM product_scores WHERE sku > ? ORDER BY sku LIMIT ?",
          [after, scoresPageSize],
        );
        yield rows.map(toScore);
        const last = rows.at(-1);
        if (last === undefined || rows.length < scoresPageSize) return;
        after = last.sku;
      }
    },

    async changed(limit) {
      const rows = await database.query<ScoreRow & { version: string }>(
        "analytics.changedScores",
        // Said, since rows that were dirty a moment ago still count in the optimizer's estimate, and it reads the whole table.
        `SELECT sku, quantity, version FROM product_scores FORCE INDEX (product_scores_dirty)
         WHERE dirty = TRUE ORDER BY sku LIMIT ?`,
        [limit],
      );
      return rows.map((row) => ({ ...toScore(row), version: BigInt(row.version) }));
    },

    async markCopied(scores) {
      const all = filled(scores);
      await database.execute(
        "analytics.markCopied",
        // Said, since after a replay most of a small shop's products are among them, and the optimizer would rather read all.
        `UPDATE product_scores FORCE INDEX (PRIMARY) SET dirty = FALSE
         WHERE sku IN (${marks(scores.length)}) AND (sku, version) IN (${marks(scores.length, "(?, ?)")})`,
        // The SKUs for the index, which MariaDB does not use for pairs.
        [...all.map(({ sku }) => sku), ...all.flatMap(({ sku, version }) => [sku, version])],
      );
    },
  };
}

/** What the sums say. */
export function createReports(database: Queryable): ReadDeps["reports"] {
  return {
    async funnel(day) {
      const rows = await database.query<{ kind: string; events: string }>(
        "analytics.funnel",
        "SELECT kind, events FROM funnel_daily WHERE day = ?",
        [day],
      );
      return new Map(rows.map(({ kind, events }) => [kind, Number(events)]));
    },

    async revenue({ from, until, currencyCode }) {
      const rows = await database.query<{ minute: Date; captured: string; refunded: string }>(
        "analytics.revenue",
        `SELECT minute, captured, refunded FROM revenue_minute
         WHERE currency_code = ? AND minute >= ? AND minute < ? ORDER BY minute`,
        [currencyCode, from, until],
      );
      return rows.map(({ minute, captured, refunded }) => ({
        ...{ minute, currencyCode, captured: BigInt(captured), refunded: BigInt(refunded) },
      }));
    },
  };
}

/** What is old, and may go. */
export function createPurgeStore(database: Queryable): PurgeStore {
  return {
    async facts(before, limit) {
      const { affectedRows } = await database.execute(
        "analytics.purgeFacts",
        "DELETE FROM facts WHERE occurred_at < ? AND rolled_up IS TRUE ORDER BY occurred_at LIMIT ?",
        [before, limit],
      );
      return affectedRows;
    },

    async orders(before, limit) {
      const sql = "DELETE FROM order_sales WHERE updated_at < ? ORDER BY updated_at LIMIT ?";
      return (await database.execute("analytics.purgeOrders", sql, [before, limit])).affectedRows;
    },

    async sales(before, limit) {
      const sql = "DELETE FROM sales_daily WHERE day < ? ORDER BY day, sku LIMIT ?";
      return (await database.execute("analytics.purgeSales", sql, [before, limit])).affectedRows;
    },
  };
}

function toScore({ sku, quantity }: ScoreRow): Score {
  return { sku, quantity: Number(quantity) };
}
