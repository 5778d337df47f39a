import { expect } from "vitest";
import type { Shop } from "./shop.ts";

type Row = Record<string, string | number>;

/**
 * What must be true of the shop once it is at rest, read from tables and the provider's ledger directly: orders and money agree,
 * stock adds up, every event was published and handled once.
 */
export async function expectBooksToBalance(shop: Shop): Promise<void> {
  await expectMoneyToAddUp(shop);
  await expectStockToAddUp(shop);
  await expectEventsToBeHandled(shop);
}

async function expectMoneyToAddUp(shop: Shop): Promise<void> {
  const orders = await shop.rows<{ order_id: string; state: string; total: string }>(
    "order",
    "SELECT order_id, state, total_minor_units AS total FROM orders",
  );
  const entries = await shop.ledger();
  for (const { order_id, state, total } of orders) {
    const own = entries.filter(({ reference }) => reference === order_id);
    const sum = (type: string) =>
      own.filter((entry) => entry.type === type).reduce((all, { amount }) => all + amount, 0);
    expect(own.filter(({ type }) => type === "authorize").length, `${order_id}: authorized once at most`).toBeLessThan(
      2,
    );
    const paid = ["PAID", "SHIPPED", "DELIVERED"].includes(state) ? Number(total) : 0;
    expect(sum("capture") - sum("refund"), `${order_id} is ${state}: captured and not refunded`).toBe(paid);
    if (state === "CANCELLED") {
      const held = sum("authorize") - sum("void") - sum("capture");
      expect(held, `${order_id}: nothing stays authorized`).toBe(0);
    }
  }
  const known = new Set(orders.map(({ order_id }) => order_id));
  expect(entries.filter(({ reference }) => !known.has(reference))).toEqual([]);
}

async function expectStockToAddUp(shop: Shop): Promise<void> {
  const impossible = await shop.rows<Row>("inventory", "SELECT * FROM stock WHERE held < 0 OR on_hand < held");
  expect(impossible).toEqual([]);
  const held = await shop.rows<Row>(
    "inventory",
    `SELECT s.sku, s.held, COALESCE(SUM(l.quantity), 0) AS promised FROM stock s
     LEFT JOIN (reservation_lines l JOIN reservations r ON r.order_id = l.order_id AND r.state = 'HELD') ON l.sku = s.sku
     GROUP BY s.sku, s.held HAVING held <> promised`,
  );
  expect(held).toEqual([]);
  const reservations = await shop.rows<{ order_id: string; state: string }>("inventory", "SELECT * FROM reservations");
  const orders = await shop.rows<{ order_id: string; state: string }>("order", "SELECT order_id, state FROM orders");
  const states = new Map(orders.map(({ order_id, state }) => [order_id, state]));
  for (const { order_id, state } of reservations) {
    const order = states.get(order_id) ?? "";
    if (state === "HELD") expect(["RESERVED", "AWAITING_PAYMENT"], `${order_id} holds stock`).toContain(order);
    if (state === "COMMITTED")
      expect(["CONFIRMED", "PAID", "SHIPPED", "DELIVERED"], `${order_id} has taken stock`).toContain(order);
  }
}

/** Who handles which events: DESIGN.md's table as far as it exists. */
const consumers: Record<string, { readonly service: string; readonly types: readonly string[] }[]> = {
  user: [{ service: "notification", types: ["shop.user.v1.UserRegistered", "shop.user.v1.ProfileUpdated"] }],
  order: [
    {
      service: "notification",
      types: [
        "shop.order.v1.OrderAwaitingPayment",
        "shop.order.v1.OrderConfirmed",
        "shop.order.v1.OrderShipped",
        "shop.order.v1.OrderCancelled",
      ],
    },
    {
      service: "order",
      types: [
        "shop.order.v1.OrderPlaced",
        "shop.order.v1.OrderAwaitingPayment",
        "shop.order.v1.OrderConfirmed",
        "shop.order.v1.OrderPaid",
        "shop.order.v1.OrderShipped",
        "shop.order.v1.OrderDelivered",
        "shop.order.v1.OrderCancelled",
      ],
    },
    { service: "inventory", types: ["shop.order.v1.OrderConfirmed", "shop.order.v1.OrderCancelled"] },
    { service: "payment", types: ["shop.order.v1.OrderConfirmed", "shop.order.v1.OrderCancelled"] },
  ],
  payment: [{ service: "order", types: ["shop.payment.v1.PaymentCaptured", "shop.payment.v1.PaymentFailed"] }],
};

async function expectEventsToBeHandled(shop: Shop): Promise<void> {
  for (const owner of ["user", "catalog", "inventory", "order", "payment"]) {
    const unpublished = await shop.rows<Row>(owner, "SELECT event_id FROM weft_outbox WHERE published_at IS NULL");
    expect(unpublished, `${owner} has published all`).toEqual([]);
  }
  for (const [owner, handlers] of Object.entries(consumers)) {
    for (const { service, types } of handlers) {
      const marks = types.map(() => "?").join(", ");
      const sql = `SELECT event_id FROM weft_outbox WHERE type IN (${marks})`;
      const published = await shop.rows<{ event_id: string }>(owner, sql, [...types]);
      const handled = await shop.rows<{ event_id: string }>(service, "SELECT event_id FROM weft_inbox");
      const known = new Set(handled.map(({ event_id }) => event_id));
      expect(
        published.filter(({ event_id }) => !known.has(event_id)),
        `${service} has handled ${owner}'s`,
      ).toEqual([]);
    }
  }
}
