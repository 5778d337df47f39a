import { setTimeout as pause } from "node:timers/promises";
import { currentSignal } from "../context/call-context.ts";
import type { RepublishFilter, RepublishProgress } from "../contract/event-operations.ts";
import { throwIfCallIsOver } from "../data/bounded.ts";
import type { Database } from "../data/queryable.ts";
import type { Outbox } from "./outbox.ts";
import { inList } from "./placeholders.ts";

interface Row {
  readonly id: string;
  readonly subject: string;
  readonly created_at: Date;
  readonly published_at: Date;
}

/** Rows that one look reads. */
const scanPageSize = 1_000;
/** Rows that wait at once: what is committed meanwhile comes after these. */
const publishPageSize = 250;
const lookIntervalMs = 20;

/**
 * Hands published rows of the outbox to the relay once more. They keep their ids: JetStream drops what it has had within the last two
 * minutes, and whoever has handled one knows it by its inbox. Rows whose first publication is still to come are left to it.
 */
export async function republish(
  deps: { readonly database: Database; readonly outbox: Pick<Outbox, "wake"> },
  filter: RepublishFilter,
  report: (progress: RepublishProgress) => void,
): Promise<RepublishProgress> {
  let events = 0;
  let more = false;
  let waiting: string[] = [];
  const publish = async () => {
    if (waiting.length === 0) return;
    if (!filter.dryRun) await publishAgain(deps, waiting);
    events += waiting.length;
    waiting = [];
    report({ events, more });
  };
  scan: for await (const rows of published(deps.database, filter.since)) {
    for (const row of rows) {
      if (!matches(row, filter)) continue;
      if (events + waiting.length >= filter.limit) {
        more = true;
        break scan;
      }
      waiting.push(row.id);
      if (waiting.length === publishPageSize) await publish();
    }
    report({ events, more });
  }
  await publish();
  return { events, more };
}

/** Rows that are published, in the order of their publication, without those that are published again after this has begun. */
async function* published(database: Database, since: Date | undefined): AsyncIterable<readonly Row[]> {
  const [clock] = await database.query<{ now: Date }>("events.now", "SELECT UTC_TIMESTAMP(3) AS now");
  const end = clock?.now ?? new Date(0);
  // No event is published before it is written, so this much of the index has all that can match.
  let at = since ?? new Date(0);
  let id = "0";
  for (;;) {
    const rows = await database.query<Row>(
      "events.selectPublished",
      `SELECT id, subject, created_at, published_at FROM weft_outbox FORCE INDEX (unpublished)
       WHERE published_at >= ? AND published_at <= ? AND (published_at > ? OR id > ?) ORDER BY published_at, id LIMIT ?`,
      [at, end, at, id, scanPageSize],
    );
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < scanPageSize) return;
    at = last.published_at;
    id = last.id;
  }
}

function matches(row: Row, { since, until, subject }: RepublishFilter): boolean {
  if (since !== undefined && row.created_at < since) return false;
  if (until !== undefined && row.created_at >= until) return false;
  return (
    subject === "" ||
    subject === row.subject ||
    (subject.endsWith(".>") && row.subject.startsWith(subject.slice(0, -1)))
  );
}

/** Resolves when the relay has published them all. */
async function publishAgain(
  { database, outbox }: { readonly database: Database; readonly outbox: Pick<Outbox, "wake"> },
  ids: readonly string[],
): Promise<void> {
  const list = inList(ids);
  await database.execute(
    "events.publishAgain",
    `UPDATE weft_outbox SET published_at = NULL, claimed_until = NULL WHERE published_at IS NOT NULL AND id IN (${list.marks})`,
    list.values,
  );
  for (;;) {
    outbox.wake();
    const left = await database.query(
      "events.findUnpublished",
      `SELECT id FROM weft_outbox WHERE published_at IS NULL AND id IN (${list.marks}) LIMIT 1`,
      list.values,
    );
    if (left.length === 0) return;
    await pause(lookIntervalMs, undefined, { signal: currentSignal() }).catch(() => {});
    throwIfCallIsOver();
  }
}
