import { insertRows, type Queryable } from "@weft/mesh/data";
import type { ProjectionCopy, RebuildableProjection } from "@weft/mesh/events";
import type { Order } from "./domain.ts";
import { orderPages } from "./event-pages.ts";
import { readEvents } from "./event-rows.ts";
import { fold } from "./fold.ts";
import { historyColumns, historyValues, unlessLaterIsKnown } from "./projection.ts";

const table = "order_history";
/** Orders that one statement compares with what the read model has of them. */
const comparePageSize = 1_000;

/** The history as migration 0003 makes it; a test compares the two. */
const create = (name: string) => `CREATE TABLE ${name} (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  total_minor_units BIGINT NOT NULL,
  item_count INT UNSIGNED NOT NULL,
  placed_at DATETIME(3) NOT NULL,
  version INT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, order_id)
) ENGINE = InnoDB`;

/** Customers' orders, made of all that has happened to them. */
export const historyProjection: RebuildableProjection = {
  name: table,
  tables: [{ name: table, create }],
  source: "order_events",

  async fill(copy) {
    // One page is written while the next one is read and folded.
    let writing: Promise<unknown> = Promise.resolve();
    for await (const page of orderPages(copy.database)) {
      const orders = page.flatMap(({ events }) => fold(events) ?? []);
      await writing;
      writing = write(copy, orders);
      // Awaited above and below; until then its error is not unhandled.
      writing.catch(() => {});
      copy.progress(
        page.reduce((sum, { events }) => sum + events.length, 0),
        orders.length,
      );
    }
    await writing;
  },

  async catchUp(copy) {
    for await (const orderIds of lateOrders(copy)) {
      const folded = [...(await readEvents(copy.database, orderIds)).values()].flatMap((events) => fold(events) ?? []);
      await write(copy, folded);
    }
  },

  async countRemoved(copy, old) {
    let removed = 0;
    for await (const page of entries(copy.database, old(table), copy.table(table))) {
      removed += page.filter(({ isKnown }) => Number(isKnown) === 0).length;
    }
    return removed;
  },
};

async function write(copy: ProjectionCopy, orders: readonly Order[]): Promise<void> {
  const ending = `ON DUPLICATE KEY UPDATE ${unlessLaterIsKnown}`;
  const target = { table: copy.table(table), columns: historyColumns, ending };
  await insertRows(copy.database, "order.copyHistory", target, orders.map(historyValues));
}

/** Orders of which a copy has another version than they are, in pages. Read by an index that has no more than this. */
async function* lateOrders({ database, table: name }: ProjectionCopy): AsyncIterable<readonly string[]> {
  interface Row {
    readonly userId: string;
    readonly orderId: string;
    readonly isLate: number | string;
  }
  let userId = "";
  let orderId = "";
  for (;;) {
    const rows: Row[] = await database.query<Row>(
      "order.selectLate",
      `SELECT o.user_id AS userId, o.order_id AS orderId, COALESCE(h.version, 0) <> o.version AS isLate
       FROM orders AS o LEFT JOIN ${name(table)} AS h ON h.user_id = o.user_id AND h.order_id = o.order_id
       WHERE o.user_id >= ? AND (o.user_id > ? OR o.order_id > ?) ORDER BY o.user_id, o.order_id LIMIT ?`,
      [userId, userId, orderId, comparePageSize],
    );
    const late = rows.filter(({ isLate }) => Number(isLate) === 1);
    if (late.length > 0) yield late.map((row) => row.orderId);
    const last = rows.at(-1);
    if (last === undefined || rows.length < comparePageSize) return;
    ({ userId, orderId } = last);
  }
}

/** Entries of one history, and whether another one has them. */
async function* entries(database: Queryable, of: string, other: string) {
  interface Row {
    readonly userId: string;
    readonly orderId: string;
    readonly isKnown: number | string;
  }
  let userId = "";
  let orderId = "";
  for (;;) {
    const rows: Row[] = await database.query<Row>(
      "order.selectStrays",
      `SELECT h.user_id AS userId, h.order_id AS orderId, n.order_id IS NOT NULL AS isKnown
       FROM ${of} AS h LEFT JOIN ${other} AS n ON n.user_id = h.user_id AND n.order_id = h.order_id
       WHERE h.user_id >= ? AND (h.user_id > ? OR h.order_id > ?) ORDER BY h.user_id, h.order_id LIMIT ?`,
      [userId, userId, orderId, comparePageSize],
    );
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < comparePageSize) return;
    ({ userId, orderId } = last);
  }
}
