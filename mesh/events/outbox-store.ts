import type { Database, Transaction } from "../data/queryable.ts";
import type { EncodedEvent } from "./envelope.ts";
import { inList } from "./placeholders.ts";

/** A row that waits to be published. */
export interface OutboxRow {
  readonly id: string;
  readonly event_id: string;
  readonly subject: string;
  readonly envelope: Uint8Array;
  readonly traceparent: string | null;
}

export interface Backlog {
  readonly pending: number;
  readonly oldestAgeMs: number;
}

/** Rows are counted up to here. */
export const backlogCountMax = 100_000;

/** The outbox table. Times are the database's: relays on several machines share its clock. */
export interface OutboxStore {
  /** Answers with the row's id. With a lease no relay takes it before that has run out. */
  insert(
    tx: Transaction,
    event: EncodedEvent,
    more: { readonly traceparent: string | undefined; readonly leaseMs: number | undefined },
  ): Promise<string>;
  /** Takes rows that nobody else is publishing, oldest first, for leaseMs. */
  claim(count: number, leaseMs: number): Promise<OutboxRow[]>;
  markPublished(ids: readonly string[]): Promise<void>;
  /** Gives rows back, to be claimed again after delayMs. */
  release(ids: readonly string[], delayMs: number): Promise<void>;
  backlog(): Promise<Backlog>;
  /** Removes rows published longer than retentionMs ago, at most count. Answers with how many it removed. */
  purge(retentionMs: number, count: number): Promise<number>;
}

export function createOutboxStore(database: Database): OutboxStore {
  return {
    async insert(tx, { subject, envelope, bytes }, { traceparent, leaseMs }) {
      const { insertId } = await tx.execute(
        "outbox.insert",
        `INSERT INTO weft_outbox
           (event_id, subject, type, aggregate_id, aggregate_version, envelope, traceparent, created_at, claimed_until)
         VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND)`,
        [
          envelope.eventId,
          subject,
          envelope.type,
          envelope.aggregateId,
          envelope.aggregateVersion,
          bytes,
          traceparent ?? null,
          leaseMs === undefined ? null : leaseMs * 1000,
        ],
      );
      return insertId.toString();
    },

    claim: (count, leaseMs) =>
      database.transaction("outbox.claim", async (tx) => {
        // By status and not by an id cursor: auto-increment ids commit out of order. FORCE INDEX: for ORDER BY id LIMIT the
        // optimizer may walk the primary key instead, through every published row.
        const rows = await tx.query<OutboxRow>(
          "outbox.selectUnclaimed",
          `SELECT id, event_id, subject, envelope, traceparent FROM weft_outbox FORCE INDEX (unpublished)
           WHERE published_at IS NULL AND (claimed_until IS NULL OR claimed_until <= UTC_TIMESTAMP(3))
           ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED`,
          [count],
        );
        if (rows.length > 0) {
          const ids = inList(rows.map((row) => row.id));
          await tx.execute(
            "outbox.claimRows",
            `UPDATE weft_outbox SET claimed_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND WHERE id IN (${ids.marks})`,
            [leaseMs * 1000, ...ids.values],
          );
        }
        return rows;
      }),

    async markPublished(ids) {
      if (ids.length === 0) return;
      const list = inList(ids);
      await database.execute(
        "outbox.markPublished",
        `UPDATE weft_outbox SET published_at = UTC_TIMESTAMP(3), claimed_until = NULL WHERE id IN (${list.marks})`,
        list.values,
      );
    },

    async release(ids, delayMs) {
      if (ids.length === 0) return;
      const list = inList(ids);
      await database.execute(
        "outbox.release",
        `UPDATE weft_outbox SET claimed_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND
         WHERE published_at IS NULL AND id IN (${list.marks})`,
        [delayMs * 1000, ...list.values],
      );
    },

    async backlog() {
      const [row] = await database.query<{ pending: string; oldest_age_us: string | null }>(
        "outbox.backlog",
        `SELECT COUNT(*) AS pending, TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(3)) AS oldest_age_us
         FROM (SELECT created_at FROM weft_outbox FORCE INDEX (unpublished)
               WHERE published_at IS NULL ORDER BY id LIMIT ?) AS unpublished`,
        [backlogCountMax],
      );
      return { pending: Number(row?.pending ?? 0), oldestAgeMs: Math.max(0, Number(row?.oldest_age_us ?? 0) / 1000) };
    },

    async purge(retentionMs, count) {
      const { affectedRows } = await database.execute(
        "outbox.purge",
        `DELETE FROM weft_outbox WHERE published_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND
         ORDER BY published_at LIMIT ?`,
        [retentionMs * 1000, count],
      );
      return affectedRows;
    },
  };
}
