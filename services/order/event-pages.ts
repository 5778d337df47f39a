import type { Database, Queryable } from "@weft/mesh/data";
import type { EventTable } from "@weft/mesh/events";
import { type EventRow, type StoredEvent, storedEventColumns, toStoredEvent } from "./event-rows.ts";

/** An order with all its events. */
export interface OrderEvents {
  readonly orderId: string;
  readonly events: readonly StoredEvent[];
}

/** An event in the log. */
export interface EventPosition {
  readonly orderId: string;
  readonly version: number;
}

type PageRow = EventRow & { readonly version: number };

/** Events that one statement reads: some milliseconds for the server, and as many for whoever decodes them. */
const pageSize = 2_000;
const beforeAll: EventPosition = { orderId: "", version: 0 };

/** The events after one, by order and version, and where to read on; undefined when these are the last. */
export async function readEventPage(
  from: Queryable,
  { orderId, version }: EventPosition = beforeAll,
): Promise<{ rows: readonly PageRow[]; next: EventPosition | undefined }> {
  const rows = await from.query<PageRow>(
    "order.selectEventPage",
    `SELECT ${storedEventColumns}, version FROM order_events
     WHERE order_id >= ? AND (order_id > ? OR version > ?) ORDER BY order_id, version LIMIT ?`,
    [orderId, orderId, version, pageSize],
  );
  const last = rows.length < pageSize ? undefined : rows.at(-1);
  return { rows, next: last && { orderId: last.order_id, version: Number(last.version) } };
}

/** All events, in pages, by order and version. Nothing is locked; what is appended meanwhile may be in it or not. */
async function* eventPages(from: Queryable): AsyncIterable<readonly PageRow[]> {
  let reading: ReturnType<typeof readEventPage> | undefined = readEventPage(from);
  try {
    while (reading !== undefined) {
      const { rows, next }: Awaited<typeof reading> = await reading;
      // The server reads the next page while this one is decoded.
      reading = next && readEventPage(from, next);
      yield rows;
    }
  } finally {
    // Left unread by who stops early: its error is nobody's.
    reading?.catch(() => {});
  }
}

/** All orders with their events, in pages of whole orders. */
export async function* orderPages(from: Queryable): AsyncIterable<readonly OrderEvents[]> {
  let open: { orderId: string; events: StoredEvent[] } | undefined;
  for await (const rows of eventPages(from)) {
    const page: OrderEvents[] = [];
    for (const row of rows) {
      if (open?.orderId !== row.order_id) {
        if (open !== undefined) page.push(open);
        open = { orderId: row.order_id, events: [] };
      }
      open.events.push(toStoredEvent(row));
    }
    yield page;
  }
  if (open !== undefined) yield [open];
}

/** `order_events`, for whoever looks whether all of it can be read. */
export const orderEventTable: EventTable = {
  table: "order_events",
  async *pages(database: Database) {
    for await (const rows of eventPages(database)) {
      yield rows.map((row) => ({ event: `${row.order_id} ${row.version}`, type: row.type, payload: row.payload, row }));
    }
  },
  read: (stored) => toStoredEvent((stored as typeof stored & { row: PageRow }).row),
};
