import { createRegistry, type DescFile, fromBinary, type Registry } from "@bufbuild/protobuf";
import type { EventProblem, VerifyProgress } from "../contract/event-operations.ts";
import { unknownFields } from "../contract/unknown-fields.ts";
import type { Database } from "../data/queryable.ts";
import { EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import { estimateRows } from "./table-status.ts";

/** An event as it lies in a table. */
export interface StoredEventRow {
  /** Which it is, for people: "ord_... 3". */
  readonly event: string;
  /** Full name of the message. */
  readonly type: string;
  readonly payload: Uint8Array;
}

/** A table of events, read in the order of its primary key. */
export interface EventTable {
  readonly table: string;
  /** All its events, in pages. */
  pages(database: Database): AsyncIterable<readonly StoredEventRow[]>;
  /** What the service makes of one when it reads it; throws if it cannot. */
  readonly read?: (row: StoredEventRow) => unknown;
}

const outboxPageSize = 500;

/** The events of the outbox that are kept. */
export const outboxEvents: EventTable = {
  table: "weft_outbox",
  async *pages(database) {
    interface Row {
      readonly id: string;
      readonly event_id: string;
      readonly type: string;
      readonly envelope: Uint8Array;
    }
    for (let after = "0"; ; ) {
      const rows: Row[] = await database.query<Row>(
        "events.readOutbox",
        "SELECT id, event_id, type, envelope FROM weft_outbox WHERE id > ? ORDER BY id LIMIT ?",
        [after, outboxPageSize],
      );
      yield rows.map(({ event_id: event, type, envelope }) => ({ event, type, payload: envelope }));
      const last = rows.at(-1);
      if (last === undefined || rows.length < outboxPageSize) return;
      after = last.id;
    }
  },
};

/**
 * Reads all stored events of these tables, page by page, and says which of them the contracts in these files cannot read without loss.
 */
export async function verifyEvents(
  database: Database,
  options: {
    readonly tables: readonly EventTable[];
    readonly files: readonly DescFile[];
    readonly problemsMax: number;
  },
  report: (progress: VerifyProgress) => void,
): Promise<VerifyProgress> {
  const registry = createRegistry(...options.files);
  const problems: EventProblem[] = [];
  let done = 0;
  let total = 0;
  let problemCount = 0;
  let table = "";
  const progress = (): VerifyProgress => ({ table, done, total: Math.max(total, done), problemCount, problems });
  for (const source of options.tables) total += await estimateRows(database, source.table);
  for (const source of options.tables) {
    table = source.table;
    for await (const rows of source.pages(database)) {
      for (const row of rows) {
        const problem = problemOf(registry, source, row);
        if (problem === undefined) continue;
        problemCount += 1;
        if (problems.length < options.problemsMax) problems.push({ table, event: row.event, type: row.type, problem });
      }
      done += rows.length;
      report(progress());
    }
  }
  total = done;
  return progress();
}

/** What would be lost if it were read now; undefined if nothing would. */
function problemOf(registry: Registry, source: EventTable, row: StoredEventRow): string | undefined {
  try {
    const payload = source === outboxEvents ? openEnvelope(row) : row.payload;
    const schema = registry.getMessage(row.type);
    if (schema === undefined) return "nobody here knows its type";
    const unknown = unknownFields(schema, fromBinary(schema, payload));
    if (unknown.length > 0) return `has what nobody reads: ${unknown.join(", ")}`;
    source.read?.(row);
    return undefined;
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`;
  }
}

function openEnvelope({ event, type, payload }: StoredEventRow): Uint8Array {
  const envelope = fromBinary(EventEnvelopeSchema, payload);
  if (envelope.type !== type) throw new Error(`its row says ${type}, its envelope "${envelope.type}"`);
  if (envelope.eventId !== event) throw new Error(`its envelope has the id "${envelope.eventId}"`);
  if (envelope.occurredAt === undefined) throw new Error("its envelope has no occurred_at");
  return envelope.payload;
}
