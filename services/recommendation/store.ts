import { runDetached } from "@weft/mesh/context";
import type { Queryable, Transaction } from "@weft/mesh/data";
import { type ConfirmedOrder, type Count, countPairs, type Pair, pairedSkus } from "./domain.ts";
import type { RecommendDeps } from "./usecases.ts";

/** Rows that one statement writes. */
const rowsMax = 5_000;
/** Orders that one statement looks for: of many more the server would rather read the whole key. */
const lookedForMax = 200;
/** Of a product's companions, those among whom views decide. */
const candidatesMax = 50;
/** A product page does not wait longer for the database: it has something else to show. */
const readTimeoutMs = 150;

/** What was bought together, of the table `pairs`. */
export function createPairStore(database: Queryable): RecommendDeps["pairs"] {
  return {
    async boughtTogether(sku, limit) {
      const rows = await runDetached({ timeoutMs: readTimeoutMs }, () =>
        database.query<{ other: string }>(
          "recommendation.boughtTogether",
          `SELECT p.other FROM
             (SELECT other, orders FROM pairs WHERE sku = ? ORDER BY orders DESC, other LIMIT ${candidatesMax}) AS p
           LEFT JOIN views AS v ON v.sku = p.other
           ORDER BY p.orders DESC, COALESCE(v.views, 0) DESC, p.other LIMIT ?`,
          [sku, limit],
        ),
      );
      return rows.map(({ other }) => other);
    },
  };
}

/** What a table is called: a replay has others. */
export type TableName = (name: string) => string;

const live: TableName = (name) => name;

/** Counts the pairs of those of the orders that are not counted yet. Answers with how many those were. */
export async function countOrders(
  tx: Transaction,
  orders: readonly ConfirmedOrder[],
  table: TableName = live,
): Promise<number> {
  const counted = await findCounted(tx, [...new Set(orders.map(({ orderId }) => orderId))], table);
  const fresh = new Map(orders.flatMap((order) => (counted.has(order.orderId) ? [] : [[order.orderId, order]])));
  const rows = [...fresh.values()].map(({ orderId, skus }) => [orderId, pairedSkus(skus).join(" ")]);
  if (rows.length === 0) return 0;
  // Of two who count one order at once the key lets one; the other finds it counted when the event comes again.
  await tx.execute(
    "recommendation.addOrders",
    `INSERT INTO ${table("counted_orders")} (order_id, skus, counted_at) SELECT order_id, skus, UTC_TIMESTAMP(3)
     FROM JSON_TABLE(?, '$[*]' COLUMNS (order_id VARCHAR(64) PATH '$[0]', skus VARCHAR(1300) PATH '$[1]')) AS j`,
    [JSON.stringify(rows)],
  );
  await addPairs(tx, countPairs([...fresh.values()].map(({ skus }) => skus)), table);
  return rows.length;
}

async function findCounted(tx: Transaction, orderIds: readonly string[], table: TableName): Promise<Set<string>> {
  const counted = new Set<string>();
  for (let from = 0; from < orderIds.length; from += lookedForMax) {
    const some = orderIds.slice(from, from + lookedForMax);
    const rows = await tx.query<{ orderId: string }>(
      "recommendation.findCounted",
      `SELECT order_id AS orderId FROM ${table("counted_orders")} WHERE order_id IN (${some.map(() => "?").join(", ")})`,
      some,
    );
    for (const { orderId } of rows) counted.add(orderId);
  }
  return counted;
}

/** Adds to the counts of pairs. */
export async function addPairs(tx: Transaction, pairs: readonly Count<Pair>[], table: TableName = live): Promise<void> {
  for (let from = 0; from < pairs.length; from += rowsMax) {
    const rows = pairs.slice(from, from + rowsMax).map(({ of: { sku, other }, count }) => [sku, other, count]);
    // As one JSON parameter: the statement's text is the same for any number of rows, so the server keeps it prepared.
    await tx.execute(
      "recommendation.addPairs",
      `INSERT INTO ${table("pairs")} (sku, other, orders) SELECT sku, other, orders
       FROM JSON_TABLE(?, '$[*]' COLUMNS (sku VARCHAR(64) PATH '$[0]', other VARCHAR(64) PATH '$[1]', orders BIGINT PATH '$[2]')) AS j
       ON DUPLICATE KEY UPDATE orders = ${table("pairs")}.orders + VALUES(orders)`,
      [JSON.stringify(rows)],
    );
  }
}

/** Adds to the counts of views. */
export async function addViews(tx: Transaction, views: readonly Count<string>[]): Promise<void> {
  if (views.length === 0) return;
  await tx.execute(
    "recommendation.addViews",
    `INSERT INTO views (sku, views) SELECT sku, views
     FROM JSON_TABLE(?, '$[*]' COLUMNS (sku VARCHAR(64) PATH '$[0]', views BIGINT PATH '$[1]')) AS j
     ON DUPLICATE KEY UPDATE views = views.views + VALUES(views)`,
    [JSON.stringify(views.map(({ of, count }) => [of, count]))],
  );
}
