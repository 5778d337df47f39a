import type { Database } from "@weft/mesh/data";
import type { ProjectionCopy, RebuildableProjection } from "@weft/mesh/events";
import type { ConfirmedOrder } from "./domain.ts";
import { countOrders, type TableName } from "./store.ts";

/** Orders that one statement compares, and one transaction counts. */
const pageSize = 1_000;

const word = (length: number) => `VARCHAR(${length}) CHARACTER SET ascii COLLATE ascii_bin`;
const ending = "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";

export interface PairsProjectionDeps {
  readonly database: Database;
  /** All orders that were confirmed before it is asked, in pages; perhaps some that are confirmed later. */
  readonly confirmedOrders: () => AsyncIterable<readonly ConfirmedOrder[]>;
}

/**
 * What is bought together, made of order's log. What is confirmed meanwhile is heard of as ever, and counted in the old tables and then
 * in the new ones; an order that order has told of already is known when its event comes.
 */
export function createPairsProjection({ database, confirmedOrders }: PairsProjectionDeps): RebuildableProjection {
  /** When the filling began, as the database says it; all times if another process did it. */
  let since: string | undefined;
  return {
    name: "pairs",
    // As migrations 0001 and 0002 make them; a test compares.
    tables: [
      {
        name: "pairs",
        create: (name) => `CREATE TABLE ${name} (
          sku ${word(64)} NOT NULL,
          other ${word(64)} NOT NULL,
          orders BIGINT UNSIGNED NOT NULL,
          PRIMARY KEY (sku, other),
          KEY pairs_top (sku, orders DESC, other)
        ) ${ending}`,
      },
      {
        name: "counted_orders",
        create: (name) => `CREATE TABLE ${name} (
          order_id ${word(64)} NOT NULL PRIMARY KEY,
          skus ${word(1300)} NOT NULL,
          counted_at DATETIME(3) NOT NULL
        ) ${ending}`,
      },
    ],
    source: "order's order_events",
    sizedLike: "counted_orders",

    async fill(copy) {
      since = await readTime(database);
      for await (const orders of confirmedOrders()) copy.progress(orders.length, await count(copy, orders));
    },

    async catchUp(copy, told) {
      for await (const orders of heardMeanwhile(copy, told, since)) await count(copy, orders);
    },
  };
}

function count({ database, table }: ProjectionCopy, orders: readonly ConfirmedOrder[]): Promise<number> {
  return database.transaction("recommendation.replayOrders", (tx) => countOrders(tx, orders, table));
}

async function readTime(database: Database): Promise<string> {
  const sql = "SELECT CAST(UTC_TIMESTAMP(3) AS CHAR) AS now";
  const [row] = await database.query<{ now: string }>("recommendation.readTime", sql);
  return row?.now ?? "";
}

/** Orders that the tables with these names have counted since then, and the copy has not. In pages, by the key. */
async function* heardMeanwhile({ database, table }: ProjectionCopy, told: TableName, since = "1000-01-01") {
  interface Row {
    readonly orderId: string;
    readonly skus: string;
    readonly isMissing: number | string;
  }
  for (let after = ""; ; ) {
    const rows: Row[] = await database.query<Row>(
      "recommendation.selectHeard",
      `SELECT t.order_id AS orderId, t.skus, t.counted_at >= ? AND c.order_id IS NULL AS isMissing
       FROM ${told("counted_orders")} AS t LEFT JOIN ${table("counted_orders")} AS c ON c.order_id = t.order_id
       WHERE t.order_id > ? ORDER BY t.order_id LIMIT ?`,
      [since, after, pageSize],
    );
    const missing = rows.filter(({ isMissing }) => Number(isMissing) === 1);
    if (missing.length > 0) yield missing.map(({ orderId, skus }) => ({ orderId, skus: skus.split(" ") }));
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last.orderId;
  }
}
