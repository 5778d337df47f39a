import type { Database, Queryable } from "@weft/mesh/data";
import type { EventTable } from "@weft/mesh/events";
import { type EventRow, type StoredEvent, storedEventColumns, toStoredEvent } from "./event-rows.ts";

/** An order with all its events. */
export interface OrderEvents {
  readonly orderId: string;
  readonly events: readonly StoredEvent[];
}

type PageRow = EventRow & { readonly version: number };

/** Events that one statement reads: some milliseconds for the server, and as many for whoever decodes them. */
const pageSize = 2_000;

/** All events, in pages, by order and version. Nothing is locked; what is appended meanwhile may be in it or not. */
async function* eventPages(from: Queryable): AsyncIterable<readonly PageRow[]> {
  let orderId = "";
  let version = 0;
  const read = () =>
    from.query<PageRow>(
      "order.selectEventPage",
      `SELECT ${storedEventColumns}, version FROM order_events
       WHERE order_id >= ? AND (order_id > ? OR version > ?) ORDER BY order_id, version LIMIT ?`,
      [orderId, orderId, version, pageSize],
    );
  let next: Promise<readonly PageRow[]> | undefined = read();
  try {
    while (next !== undefined) {
      const rows: readonly PageRow[] = await next;
      const last = rows.at(-1);
      ({ order_id: orderId, version } = last ?? { order_id: orderId, version });
      // The server reads the next page while this one is decoded.
      next = last === undefined || rows.length < pageSize ? undefined : read();
      yield rows;
    }
  } finally {
    // Left unread by who stops early: its error is nobody's.
    next?.catch(() => {});
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
