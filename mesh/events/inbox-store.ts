import type { Database, Transaction } from "../data/queryable.ts";
import { inList } from "./placeholders.ts";

/** The inbox table: which events have had their effect in this schema. */
export interface InboxStore {
  /** Records events, in the transaction of their effect. Answers with how many of them were new. */
  record(tx: Transaction, eventIds: readonly string[]): Promise<number>;
  /** Which of these are recorded. */
  known(eventIds: readonly string[]): Promise<Set<string>>;
  /** Removes records older than retentionMs, at most count. Answers with how many it removed. */
  purge(retentionMs: number, count: number): Promise<number>;
}

export function createInboxStore(database: Database, consumer: string): InboxStore {
  return {
    async record(tx, eventIds) {
      // Sorted, so that two batches that overlap wait for each other instead of in a circle. IGNORE skips what is there.
      const ids = [...eventIds].sort();
      const { affectedRows } = await tx.execute(
        "inbox.record",
        `INSERT IGNORE INTO weft_inbox (consumer, event_id, handled_at)
         VALUES ${ids.map(() => "(?, ?, UTC_TIMESTAMP(3))").join(", ")}`,
        ids.flatMap((id) => [consumer, id]),
      );
      return affectedRows;
    },

    async known(eventIds) {
      const list = inList(eventIds);
      const rows = await database.query<{ event_id: string }>(
        "inbox.selectKnown",
        `SELECT event_id FROM weft_inbox WHERE consumer = ? AND event_id IN (${list.marks})`,
        [consumer, ...list.values],
      );
      return new Set(rows.map((row) => row.event_id));
    },

    async purge(retentionMs, count) {
      const { affectedRows } = await database.execute(
        "inbox.purge",
        `DELETE FROM weft_inbox WHERE handled_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND ORDER BY handled_at LIMIT ?`,
        [retentionMs * 1000, count],
      );
      return affectedRows;
    },
  };
}
