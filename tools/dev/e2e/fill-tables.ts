import type { Connection } from "mysql2/promise";
import { SCHEMA_OWNERS } from "../stack/environment.ts";

/** Enough for an index to be worth more than a look at everything. */
const ROWS = 2_000;

/** Tables that projections make anew. */
const REPLAYED = [
  "shop_order.order_history",
  ...["funnel_daily", "revenue_minute", "order_sales", "sales_daily", "product_scores"].map(
    (t) => `shop_analytics.${t}`,
  ),
  ...["pairs", "counted_orders"].map((t) => `shop_recommendation.${t}`),
];

/**
 * Fills tables of which a young shop has little, as years would: events that were published and handled, messages that were sent,
 * deliveries. The services must have been stopped; what is written here is for plans to be made over, and for nothing else.
 */
export async function fillTables(server: Connection): Promise<void> {
  // MariaDB makes such a table up, in whatever schema it is asked for.
  const numbers = `shop_order.seq_1_to_${ROWS}`;
  const statements = SCHEMA_OWNERS.flatMap((service) => [
    `INSERT INTO shop_${service}.weft_outbox (event_id, subject, type, aggregate_id, aggregate_version, envelope, created_at, published_at)
     SELECT CONCAT('fill-', seq), 'fill', 'fill', seq, 1, '', NOW(3) - INTERVAL seq MINUTE, NOW(3) - INTERVAL seq MINUTE FROM ${numbers}`,
    `INSERT INTO shop_${service}.weft_inbox (consumer, event_id, handled_at)
     SELECT '${service}', CONCAT('fill-', seq), NOW(3) - INTERVAL seq MINUTE FROM ${numbers}`,
    `INSERT INTO shop_${service}.weft_audit (peer, claimed_operator, began_at, action, target, dry_run, reason, outcome, failed, trace_id)
     SELECT 'fill', 'fill', NOW(3) - INTERVAL seq MINUTE, 'fill', seq, FALSE, 'fill', 'done', FALSE, '' FROM ${numbers}`,
  ]);
  statements.push(
    ...["user", "catalog", "order"].map(
      (
        service,
      ) => `INSERT INTO shop_${service}.weft_idempotency (caller, method, idempotency_key, request_hash, answer, created_at)
       SELECT CONCAT('usr_', seq MOD 200), 'fill', CONCAT('fill-', seq), '', '', NOW(3) - INTERVAL seq MINUTE FROM ${numbers}`,
    ),
    `INSERT INTO shop_notification.messages (message_id, event_id, user_id, channel, recipient, subject, body, state, created_at, sent_at, attempts)
     SELECT CONCAT('fill-', seq), CONCAT('fill-', seq), CONCAT('usr_', seq MOD 200), ELT(1 + seq MOD 3, 'EMAIL', 'SMS', 'PUSH'), 'fill', 'fill', 'fill',
       'SENT', NOW(3) - INTERVAL seq MINUTE, NOW(3) - INTERVAL seq MINUTE, 1 FROM ${numbers}`,
    `INSERT INTO shop_inventory.imports (import_id, accepted, rejected) SELECT CONCAT('fill-', seq), 10, 1 FROM ${numbers}`,
    `INSERT INTO shop_inventory.import_ranges (import_id, first_line, last_line) SELECT CONCAT('fill-', seq), 1, 11 FROM ${numbers}`,
    `INSERT INTO shop_inventory.import_rejections (import_id, line, sku, reason) SELECT CONCAT('fill-', seq), 7, 'fill', 'fill' FROM ${numbers}`,
    `INSERT INTO shop_analytics.funnel_daily (day, kind, events)
     SELECT '2020-01-01' + INTERVAL (seq DIV 10) DAY, CONCAT('fill-', seq MOD 10), 1 FROM ${numbers}`,
    `INSERT INTO shop_recommendation.counted_orders (order_id, skus, counted_at)
     SELECT CONCAT('fill-', seq), 'fill', NOW(3) - INTERVAL seq MINUTE FROM ${numbers}`,
  );
  // What a replay fills, and what it has replaced, for a moment.
  for (const name of REPLAYED.flatMap((table) => [`${table}_replay`, `${table}_replaced`])) {
    const table = name.replace(/_[a-z]+$/, "");
    statements.push(`CREATE TABLE ${name} LIKE ${table}`, `INSERT INTO ${name} SELECT * FROM ${table}`);
  }
  for (const statement of statements) await server.query(statement);
}
