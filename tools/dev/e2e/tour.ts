import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { runAs } from "@weft/mesh/context";
import { AuditService } from "@weft/mesh/gen/weft/admin/v1/audit_pb.js";
import { EventService } from "@weft/mesh/gen/weft/admin/v1/events_pb.js";
import { SagaService } from "@weft/mesh/gen/weft/admin/v1/sagas_pb.js";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { AnalyticsService } from "../../../gen/shop/analytics/v1/analytics_pb.ts";
import { CatalogService } from "../../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";
import { NotificationService } from "../../../gen/shop/notification/v1/notification_pb.ts";
import { OrderService, OrderState } from "../../../gen/shop/order/v1/order_pb.ts";
import { SERVICE_NAMES } from "../stack/ports.ts";
import type { Operator } from "./operator.ts";
import type { Shop } from "./shop.ts";

/** What a tour of the shop needs. */
export interface Tour {
  readonly shop: Shop;
  readonly operator: Operator;
  /** The database's administrator: does what only accidents do. */
  readonly server: Connection;
  /** Waits for something to come true. @throws Error saying what, if it does not in time */
  until(what: string, isTrue: () => Promise<boolean>): Promise<void>;
}

type Visitor = Awaited<ReturnType<Shop["customer"]>>;

const SKU = "COF-ESPRESSO-250";
const PAGES_MAX = 3;

/** Makes the shop run each of its SQL statements at least once: all that customers and staff do, and what goes wrong. */
export async function tourTheShop(tour: Tour): Promise<void> {
  const visitor = await tour.shop.customer();
  await tellOfOneself(visitor);
  await browse(tour, visitor);
  await order(tour, visitor);
  await pay(tour, visitor);
  await lookBack(tour, visitor);
  await lookAfterSagas(tour, visitor);
  await takeDeliveries(tour);
  await report(tour);
  await writeToCustomers(tour, visitor);
  await repeatEvents(tour);
  await replayEvents(tour);
  for (const name of SERVICE_NAMES) await fetch(`http://${tour.shop.stack.addresses.services[name].metrics}/metrics`);
}

async function tellOfOneself({ accounts }: Visitor): Promise<void> {
  await accounts.getProfile({});
  await accounts.updateProfile({
    profile: { phone: "+4930123456", notifyBySms: true },
    updateMask: { paths: ["phone", "notify_by_sms"] },
  });
}

async function browse({ operator }: Tour, { catalog }: Visitor): Promise<void> {
  const inside = operator.client(CatalogService, "catalog");
  await eachPage((pageToken) => inside.listProducts({ pageSize: 5, pageToken }));
  await eachPage((pageToken) => inside.listProducts({ pageSize: 5, pageToken, category: "tea" }));
  await eachPage((pageToken) => inside.searchProducts({ query: "coffee", pageSize: 5, pageToken }));
  await inside.listCategories({});
  await inside.batchGetProducts({ skus: [SKU, "W-100100", "W-100101"] });
  await catalog.getProductPage({ sku: SKU });
  const { product } = await inside.getProduct({ sku: "W-100102" });
  await inside.updateProduct({ sku: "W-100102", category: "novelties" });
  await inside.updateProduct({ sku: "W-100102", category: product?.category ?? "" });
  await inside.changePrice({ sku: "W-100102", price: { currencyCode: "EUR", minorUnits: 999n } });
}

const place = async ({ orders }: Visitor, paymentMethod = "tok_visa", idempotencyKey: string = randomUUID()) =>
  (await orders.placeOrder({ idempotencyKey, lines: [{ sku: SKU, quantity: 1 }], paymentMethod })).order?.orderId ?? "";

async function paid({ orders }: Visitor, orderId: string): Promise<void> {
  for await (const { order: seen } of orders.watchOrder({ orderId })) if (seen?.state === OrderState.PAID) return;
}

async function order({ shop, operator }: Tour, visitor: Visitor): Promise<void> {
  const inside = operator.client(OrderService, "order");
  const asClerk = <T>(fn: () => Promise<T>) => runAs({ endUser: { userId: "usr_clerk", scopes: ["warehouse"] } }, fn);
  const key = randomUUID();
  const first = await place(visitor, "tok_visa", key);
  await place(visitor, "tok_visa", key);
  await paid(visitor, first);
  await asClerk(() => inside.shipOrder({ orderId: first, trackingNumber: "T-1" }));
  await asClerk(() => inside.deliverOrder({ orderId: first }));
  await place(visitor, "tok_declined");
  const second = await place(visitor);
  await paid(visitor, second);
  const withKey = { headers: { "idempotency-key": randomUUID() } };
  await visitor.orders.cancelOrder({ orderId: second }, withKey);
  await visitor.orders.cancelOrder({ orderId: second }, withKey);
  // The provider takes the request, and its answer is lost.
  await shop.fault({ kind: "lost_reply", operation: "authorize", count: 1 });
  await paid(visitor, await place(visitor));
  await eachPage((pageToken) =>
    asClerk(() => inside.listOrdersInState({ state: OrderState.PAID, pageSize: 3, pageToken })),
  );
}

/** A capture that takes longer than the look at its lease; meanwhile somebody else takes the lease. */
async function pay({ shop, server, until }: Tour, visitor: Visitor): Promise<void> {
  await shop.fault({ kind: "delay", operation: "capture", count: 1, delay_ms: 6_000 });
  const orderId = await place(visitor);
  const take =
    "UPDATE shop_payment.payments SET lease_owner = 'somebody' WHERE order_id = ? AND lease_owner IS NOT NULL";
  await until("the capture is under way", async () => {
    const [result] = await server.query<RowDataPacket[] & { affectedRows: number }>(take, [orderId]);
    return result.affectedRows === 1;
  });
  await paid(visitor, orderId);
}

/** The history from the read model, from the truth while that is late, and after somebody has spoilt it. */
async function lookBack({ operator, server, until }: Tour, visitor: Visitor): Promise<void> {
  const inside = operator.client(OrderService, "order");
  await eachPage((pageToken) => visitor.orders.listOrders({ pageSize: 2, pageToken }));
  await server.query("LOCK TABLES shop_order.order_history READ");
  const late = await place(visitor);
  await eachPage((pageToken) => visitor.orders.listOrders({ pageSize: 2, pageToken }));
  await server.query("UNLOCK TABLES");
  const versionOf = async (orderId: string) => {
    const sql = "SELECT version FROM shop_order.order_history WHERE order_id = ?";
    return Number((await server.query<RowDataPacket[]>(sql, [orderId]))[0][0]?.version ?? 0);
  };
  await paid(visitor, late);
  await until("the read model has caught up", async () => (await versionOf(late)) === 4);
  await server.query("UPDATE shop_order.order_history SET version = 99 WHERE order_id = ?", [late]);
  await server.query(
    `INSERT INTO shop_order.order_history SELECT user_id, 'ord_none', state, currency_code, total_minor_units, item_count,
       placed_at, version FROM shop_order.order_history WHERE order_id = ?`,
    [late],
  );
  await visitor.orders.cancelOrder({ orderId: late });
  await until("the cancellation is handled", async () => {
    const sql = `SELECT 1 FROM shop_order.weft_inbox AS i JOIN shop_order.weft_outbox AS o ON o.event_id = i.event_id
      WHERE o.aggregate_id = ? AND o.type LIKE '%OrderCancelled'`;
    return (await server.query<RowDataPacket[]>(sql, [late]))[0].length > 0;
  });
  await inside.rebuildHistory({});
  await eachPage((pageToken) => operator.client(AuditService, "order").listAudit({ pageSize: 1, pageToken }));
}

/** What operators do with sagas; and an order whose row older rules have made, or that is behind its events. */
async function lookAfterSagas({ operator, server }: Tour, visitor: Visitor): Promise<void> {
  const [kept, given] = [await place(visitor), await place(visitor)];
  for (const service of ["order", "payment"] as const) {
    const sagas = operator.client(SagaService, service);
    await eachPage((pageToken) => sagas.listSagas({ all: true, pageSize: 5, pageToken }));
    await sagas.listSagas({});
    await sagas.getSaga({ sagaId: kept });
    // Nothing is due.
    await sagas.retrySaga({ sagaId: kept }).catch(() => {});
  }
  await operator.client(SagaService, "order").compensateSaga({ sagaId: given, reason: "the tour" });
  await paid(visitor, kept);
  await server.query("UPDATE shop_order.orders SET version = version - 1, state = 'CONFIRMED' WHERE order_id = ?", [
    kept,
  ]);
  await visitor.orders.getOrder({ orderId: kept });
  await visitor.orders.cancelOrder({ orderId: kept });
}

/** A delivery with bad lines, which come again mended; and stock held for an order that nobody has placed. */
async function takeDeliveries({ operator, server, until }: Tour): Promise<void> {
  const inside = operator.client(InventoryService, "inventory");
  const importId = `tour-${randomUUID()}`;
  const deliver = (lines: readonly { sku: string; quantity: bigint }[]) =>
    inside.importStock(
      (async function* () {
        yield { importId, firstLine: 1n, lines: [...lines] };
      })(),
    );
  await deliver([
    { sku: SKU, quantity: 5n },
    { sku: "NO-SUCH", quantity: 1n },
    { sku: "", quantity: 1n },
  ]);
  await deliver([
    { sku: SKU, quantity: 5n },
    { sku: "W-100100", quantity: 1n },
    { sku: "W-100101", quantity: 1n },
  ]);
  await inside.batchGetStock({ skus: [SKU, "W-100100"] });
  const orderId = `ord_${randomUUID()}`;
  await inside.reserveStock({ orderId, lines: [{ sku: SKU, quantity: 1 }] });
  await inside.reserveStock({ orderId, lines: [{ sku: SKU, quantity: 1 }] });
  await until("the forgotten reservation has expired", async () => {
    const sql = "SELECT 1 FROM shop_inventory.reservations WHERE order_id = ? AND state = 'EXPIRED'";
    return (await server.query<RowDataPacket[]>(sql, [orderId]))[0].length > 0;
  });
}

async function report({ shop, operator, server, until }: Tour): Promise<void> {
  const inside = operator.client(AnalyticsService, "analytics");
  const now = Date.now();
  await inside.getFunnel({ day: new Date(now).toISOString().slice(0, 10) });
  const range = { from: timestampFromMs(now - 43_200_000), until: timestampFromMs(now) };
  await inside.listRevenue({ ...range, currencyCode: "EUR" });
  await eachPage((pageToken) => inside.listTopProducts({ pageSize: 5, pageToken }));
  await inside.rebuildLeaderboard({});
  await shop.stack.stop("redis");
  await until("the database answers in the place of Redis", async () => (await inside.listTopProducts({})).degraded);
  await eachPage((pageToken) => inside.listTopProducts({ pageSize: 5, pageToken }));
  await shop.stack.start("redis");
  // As if the service had been away for ten days: the window begins earlier, and the scores have what was sold since then.
  await server.query("START TRANSACTION");
  await server.query("UPDATE shop_analytics.sales_window SET first_day = first_day - INTERVAL 10 DAY");
  await server.query(
    "INSERT INTO shop_analytics.sales_daily SELECT first_day + INTERVAL 1 DAY, 'TOUR', 1 FROM shop_analytics.sales_window",
  );
  await server.query(
    `INSERT INTO shop_analytics.product_scores (sku, quantity, version, dirty)
     SELECT s.sku, SUM(s.quantity), 1, TRUE FROM shop_analytics.sales_daily AS s JOIN shop_analytics.sales_window AS w
       ON s.day >= w.first_day AND s.day < w.first_day + INTERVAL 10 DAY GROUP BY s.sku
     ON DUPLICATE KEY UPDATE quantity = shop_analytics.product_scores.quantity + VALUES(quantity)`,
  );
  await server.query("COMMIT");
  await until("the leaderboard's window has moved on", async () => {
    const sql = "SELECT 1 FROM shop_analytics.product_scores WHERE sku = 'TOUR' AND quantity = 0";
    return (await server.query<RowDataPacket[]>(sql))[0].length > 0;
  });
  // As if an instance had died with the job.
  await server.query(
    "UPDATE shop_analytics.jobs SET attempts = 3, next_attempt_at = '2026-01-01' WHERE name = 'purge'",
  );
  await until("the job has been done again", async () => {
    const [rows] = await server.query<RowDataPacket[]>("SELECT attempts FROM shop_analytics.jobs WHERE name = 'purge'");
    return Number(rows[0]?.attempts) === 0;
  });
}

async function writeToCustomers({ operator, server, until }: Tour, { userId }: Visitor): Promise<void> {
  await eachPage((pageToken) =>
    operator.client(NotificationService, "notification").listMessages({ userId, pageSize: 1, pageToken }),
  );
  await operator.client(NotificationService, "notification").listEmails({ userId });
  // More than the mail server takes.
  await server.query(
    `INSERT INTO shop_notification.messages (message_id, event_id, user_id, recipient, subject, body, state, created_at, next_attempt_at, attempts)
     VALUES ('tour_email', 'tour', ?, 'tour@example.com', 'A long letter', REPEAT('x', 2000000), 'QUEUED', NOW(3), '2026-01-01', 0)`,
    [userId],
  );
  await until("the letter has been given up", async () => {
    const sql = "SELECT 1 FROM shop_notification.messages WHERE message_id = 'tour_email' AND state = 'FAILED'";
    return (await server.query<RowDataPacket[]>(sql))[0].length > 0;
  });
  await server.query("DELETE FROM shop_notification.messages WHERE message_id = 'tour_email'");
}

/** Events that come again, in a heap, and one that no stream takes. */
async function repeatEvents({ server, until }: Tour): Promise<void> {
  const columns = "subject, type, aggregate_id, aggregate_version, envelope, created_at";
  await server.query(
    `INSERT INTO shop_order.weft_outbox (event_id, ${columns})
     SELECT CONCAT(event_id, '-again'), ${columns} FROM shop_order.weft_outbox ORDER BY id LIMIT 100`,
  );
  await server.query(
    `INSERT INTO shop_order.weft_outbox (event_id, ${columns})
     SELECT 'tour-nowhere', 'nowhere', 'nowhere', aggregate_id, 1, envelope, created_at FROM shop_order.weft_outbox LIMIT 1`,
  );
  const count = async (condition: string) => {
    const sql = `SELECT COUNT(*) AS n FROM shop_order.weft_outbox WHERE ${condition}`;
    return Number((await server.query<RowDataPacket[]>(sql))[0][0]?.n);
  };
  await until("all but one are published", async () => (await count("published_at IS NULL")) === 1);
  await until(
    "that one has been given back",
    async () => (await count("event_id = 'tour-nowhere' AND claimed_until > NOW(3)")) === 1,
  );
  await server.query("DELETE FROM shop_order.weft_outbox WHERE event_id LIKE '%-again' OR event_id = 'tour-nowhere'");
}

/** Operators look at what events have made, make it anew, publish some again, and look whether all can be read. */
async function replayEvents({ operator, server }: Tour): Promise<void> {
  const order = operator.client(EventService, "order");
  await order.listProjections({});
  await toItsEnd(order.replayProjection({ projection: "order_history" }));
  await toItsEnd(order.republishEvents({ subject: "shop.order.>", limit: 50 }));
  await toItsEnd(order.verifyEvents({}));
  // From before the facts that are kept.
  await server.query("INSERT INTO shop_analytics.sales_daily VALUES (CURRENT_DATE - INTERVAL 200 DAY, 'TOUR', 1)");
  await server.query("INSERT INTO shop_analytics.revenue_minute VALUES ('EUR', CURRENT_DATE - INTERVAL 200 DAY, 1, 0)");
  await toItsEnd(operator.client(EventService, "analytics").replayProjection({ projection: "sums" }));
  await toItsEnd(operator.client(EventService, "recommendation").replayProjection({ projection: "pairs" }));
}

async function toItsEnd(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** Reads a list page after page; three of them are enough. */
async function eachPage(read: (pageToken: string) => Promise<{ nextPageToken: string }>): Promise<void> {
  let pageToken = "";
  for (let page = 0; page < PAGES_MAX; page += 1) {
    pageToken = (await read(pageToken)).nextPageToken;
    if (pageToken === "") return;
  }
}
