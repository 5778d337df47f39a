import type { Transaction } from "@weft/mesh/data";
import type { Day } from "./domain.ts";
import { dateTime, type FactRow, filled, marks, type OrderRow, toFact, toOrder } from "./rows.ts";
import type { RollUpStore } from "./usecases.ts";

/** What the tables of the sums are called: themselves, or as a replay calls fresh ones. */
export type TableName = (table: string) => string;

/** The sums, as the roll-up sees them. */
export const rollUpStore = createRollUpStore((table) => table);

/** The same over tables of other names; the window and the facts are the same for all. */
export function createRollUpStore(name: TableName): RollUpStore {
  return {
    async lockWindow(tx) {
      const [row] = await tx.query<{ first_day: Day }>(
        "analytics.lockWindow",
        "SELECT CAST(first_day AS CHAR) AS first_day FROM sales_window WHERE id = 1 FOR UPDATE",
      );
      if (row === undefined) throw new Error("sales_window has lost its row");
      return row.first_day;
    },

    async pendingFacts(tx, limit) {
      const rows = await tx.query<FactRow>(
        "analytics.pendingFacts",
        // Said, since facts that were rolled up a moment ago still count in the optimizer's estimate, and it reads all that are kept.
        `SELECT id, event_id, kind, aggregate_id, occurred_at, currency_code, minor_units, order_lines
         FROM facts FORCE INDEX (facts_rolled_up) WHERE rolled_up = FALSE ORDER BY id LIMIT ?`,
        [limit],
      );
      return rows.map(toFact);
    },

    async findOrders(tx, orderIds) {
      if (orderIds.length === 0) return [];
      const rows = await tx.query<OrderRow>(
        "analytics.findOrders",
        `SELECT order_id, CAST(sold_on AS CHAR) AS sold_on, order_lines, cancelled
         FROM ${name("order_sales")} WHERE order_id IN (${marks(orderIds.length)})`,
        filled(orderIds),
      );
      return rows.map(toOrder);
    },

    async add(tx, { funnel, revenue, orders, sales }, firstDay) {
      await addFunnel(tx, name, funnel);
      await addRevenue(tx, name, revenue);
      await saveOrders(tx, name, orders);
      await addSales(tx, name, sales);
      await addScores(
        tx,
        name,
        sales.filter(({ day }) => day >= firstDay),
      );
    },

    async markRolledUp(tx, ids) {
      await tx.execute(
        "analytics.markRolledUp",
        `UPDATE facts SET rolled_up = TRUE WHERE id IN (${marks(ids.length)})`,
        filled(ids),
      );
    },

    async nextSalesDay(database, from, until) {
      const [row] = await database.query<{ day: Day | null }>(
        "analytics.nextSalesDay",
        `SELECT CAST(MIN(day) AS CHAR) AS day FROM ${name("sales_daily")} WHERE day >= ? AND day < ?`,
        [from, until],
      );
      return row?.day ?? undefined;
    },

    async subtractDay(tx, day) {
      await tx.execute(
        "analytics.subtractDay",
        `UPDATE sales_daily AS s JOIN product_scores AS p ON p.sku = s.sku
         SET p.quantity = p.quantity - s.quantity, p.version = p.version + 1, p.dirty = TRUE
         WHERE s.day = ? AND s.quantity <> 0`,
        [day],
      );
    },

    async moveWindow(tx, firstDay) {
      await tx.execute("analytics.moveWindow", "UPDATE sales_window SET first_day = ? WHERE id = 1", [firstDay]);
    },
  };
}

type Sums = Parameters<RollUpStore["add"]>[1];

async function addFunnel(tx: Transaction, name: TableName, funnel: Sums["funnel"]): Promise<void> {
  await tx.execute(
    "analytics.addFunnel",
    `INSERT INTO ${name("funnel_daily")} (day, kind, events) SELECT day, kind, events
     FROM JSON_TABLE(?, '$[*]' COLUMNS (day DATE PATH '$[0]', kind VARCHAR(64) PATH '$[1]', events BIGINT PATH '$[2]')) AS j
     ON DUPLICATE KEY UPDATE events = ${name("funnel_daily")}.events + VALUES(events)`,
    [JSON.stringify(funnel.map(({ day, kind, events }) => [day, kind, events]))],
  );
}

async function addRevenue(tx: Transaction, name: TableName, revenue: Sums["revenue"]): Promise<void> {
  if (revenue.length === 0) return;
  const rows = revenue.map(({ currencyCode, minute, captured, refunded }) => [
    ...[currencyCode, dateTime(minute), captured.toString(), refunded.toString()],
  ]);
  await tx.execute(
    "analytics.addRevenue",
    `INSERT INTO ${name("revenue_minute")} (currency_code, minute, captured, refunded)
     SELECT currency_code, minute, captured, refunded
     FROM JSON_TABLE(?, '$[*]' COLUMNS (currency_code CHAR(3) PATH '$[0]', minute DATETIME PATH '$[1]',
       captured BIGINT PATH '$[2]', refunded BIGINT PATH '$[3]')) AS j
     ON DUPLICATE KEY UPDATE captured = ${name("revenue_minute")}.captured + VALUES(captured),
       refunded = ${name("revenue_minute")}.refunded + VALUES(refunded)`,
    [JSON.stringify(rows)],
  );
}

async function saveOrders(tx: Transaction, name: TableName, orders: Sums["orders"]): Promise<void> {
  if (orders.length === 0) return;
  const rows = orders.map(({ orderId, soldOn, lines, cancelled }) => [
    ...[orderId, soldOn ?? null, lines.length === 0 ? null : JSON.stringify(lines), cancelled ? 1 : 0],
  ]);
  await tx.execute(
    "analytics.saveOrders",
    `INSERT INTO ${name("order_sales")} (order_id, sold_on, order_lines, cancelled, updated_at)
     SELECT order_id, sold_on, order_lines, cancelled, UTC_TIMESTAMP(3)
     FROM JSON_TABLE(?, '$[*]' COLUMNS (order_id VARCHAR(64) PATH '$[0]', sold_on DATE PATH '$[1]',
       order_lines MEDIUMTEXT PATH '$[2]', cancelled TINYINT PATH '$[3]')) AS j
     ON DUPLICATE KEY UPDATE sold_on = VALUES(sold_on), order_lines = VALUES(order_lines),
       cancelled = VALUES(cancelled), updated_at = VALUES(updated_at)`,
    [JSON.stringify(rows)],
  );
}

async function addSales(tx: Transaction, name: TableName, sales: Sums["sales"]): Promise<void> {
  if (sales.length === 0) return;
  await tx.execute(
    "analytics.addSales",
    `INSERT INTO ${name("sales_daily")} (day, sku, quantity) SELECT day, sku, quantity
     FROM JSON_TABLE(?, '$[*]' COLUMNS (day DATE PATH '$[0]', sku VARCHAR(64) PATH '$[1]', quantity BIGINT PATH '$[2]')) AS j
     ON DUPLICATE KEY UPDATE quantity = ${name("sales_daily")}.quantity + VALUES(quantity)`,
    [JSON.stringify(sales.map(({ day, sku, quantity }) => [day, sku, quantity]))],
  );
}

async function addScores(tx: Transaction, name: TableName, sales: Sums["sales"]): Promise<void> {
  if (sales.length === 0) return;
  await tx.execute(
    "analytics.addScores",
    `INSERT INTO ${name("product_scores")} (sku, quantity, version, dirty) SELECT sku, SUM(quantity), 1, TRUE
     FROM JSON_TABLE(?, '$[*]' COLUMNS (sku VARCHAR(64) PATH '$[0]', quantity BIGINT PATH '$[1]')) AS j GROUP BY sku
     ON DUPLICATE KEY UPDATE quantity = ${name("product_scores")}.quantity + VALUES(quantity),
       version = ${name("product_scores")}.version + 1, dirty = TRUE`,
    [JSON.stringify(sales.map(({ sku, quantity }) => [sku, quantity]))],
  );
}
