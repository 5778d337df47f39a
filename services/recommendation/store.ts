import { runDetached } from "@weft/mesh/context";
import type { Queryable, Transaction } from "@weft/mesh/data";
import type { Count, Pair } from "./domain.ts";
import type { RecommendDeps } from "./usecases.ts";

/** Rows that one statement writes. */
const rowsMax = 5_000;
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

/** Adds to the counts of pairs. */
export async function addPairs(tx: Transaction, pairs: readonly Count<Pair>[]): Promise<void> {
  for (let from = 0; from < pairs.length; from += rowsMax) {
    const rows = pairs.slice(from, from + rowsMax).map(({ of: { sku, other }, count }) => [sku, other, count]);
    // As one JSON parameter: the statement's text is the same for any number of rows, so the server keeps it prepared.
    await tx.execute(
      "recommendation.addPairs",
      `INSERT INTO pairs (sku, other, orders) SELECT sku, other, orders
       FROM JSON_TABLE(?, '$[*]' COLUMNS (sku VARCHAR(64) PATH '$[0]', other VARCHAR(64) PATH '$[1]', orders BIGINT PATH '$[2]')) AS j
       ON DUPLICATE KEY UPDATE orders = pairs.orders + VALUES(orders)`,
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
