import type { ProjectionCopy } from "@weft/mesh/events";
import { type Day, dayOf } from "./domain.ts";
import { rollUpStore } from "./sums.ts";

/** Orders that one statement takes over. */
const ordersMax = 2_000;
const dayMs = 86_400_000;
const firstOfAll: Day = "1000-01-01";

/**
 * Copies from the old tables into fresh ones what is older than the facts, in bounded pieces: whole days, and orders. What is known of
 * orders that were sold then comes along, or that are not known to be sold: one that is cancelled now takes back nothing.
 */
export async function takeOver(copy: ProjectionCopy, before: Day): Promise<void> {
  const { database, table } = copy;
  // A row a kind and day: little, whatever the shop's size.
  await database.execute(
    "analytics.takeOverFunnel",
    `INSERT INTO ${table("funnel_daily")} SELECT * FROM funnel_daily WHERE day < ?`,
    [before],
  );
  for (let day = await rollUpStore.nextSalesDay(database, firstOfAll, before); day !== undefined; ) {
    await database.execute(
      "analytics.takeOverSales",
      `INSERT INTO ${table("sales_daily")} SELECT * FROM sales_daily WHERE day = ?`,
      [day],
    );
    day = await rollUpStore.nextSalesDay(database, dayOf(Date.parse(day) + dayMs), before);
  }
  await takeOverRevenue(copy, before);
  await takeOverOrders(copy, before);
}

async function takeOverRevenue({ database, table }: ProjectionCopy, before: Day): Promise<void> {
  interface Row {
    readonly currency: string;
    readonly day: Day | null;
  }
  for (let currency = ""; ; ) {
    const [next] = await database.query<Pick<Row, "currency">>(
      "analytics.nextCurrency",
      "SELECT currency_code AS currency FROM revenue_minute WHERE currency_code > ? ORDER BY currency_code LIMIT 1",
      [currency],
    );
    if (next === undefined) return;
    currency = next.currency;
    for (let from: Day = firstOfAll; ; ) {
      const [row] = await database.query<Pick<Row, "day">>(
        "analytics.nextRevenueDay",
        `SELECT CAST(DATE(MIN(minute)) AS CHAR) AS day FROM revenue_minute
         WHERE currency_code = ? AND minute >= ? AND minute < ?`,
        [currency, from, before],
      );
      if (!row?.day) break;
      const until = dayOf(Date.parse(row.day) + dayMs);
      await database.execute(
        "analytics.takeOverRevenue",
        `INSERT INTO ${table("revenue_minute")} SELECT * FROM revenue_minute
         WHERE currency_code = ? AND minute >= ? AND minute < ?`,
        [currency, row.day, until],
      );
      from = until;
    }
  }
}

async function takeOverOrders({ database, table }: ProjectionCopy, before: Day): Promise<void> {
  for (let after = ""; ; ) {
    const rows = await database.query<{ orderId: string }>(
      "analytics.pageOrders",
      "SELECT order_id AS orderId FROM order_sales WHERE order_id > ? ORDER BY order_id LIMIT ?",
      [after, ordersMax],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    await database.execute(
      "analytics.takeOverOrders",
      `INSERT INTO ${table("order_sales")} SELECT * FROM order_sales
       WHERE order_id > ? AND order_id <= ? AND (sold_on IS NULL OR sold_on < ?)`,
      [after, last.orderId, before],
    );
    after = last.orderId;
  }
}
