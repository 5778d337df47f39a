import { expect } from "vitest";
import type { Shop } from "./shop.ts";

type Row = Record<string, string | number>;

/** What the books are read from. */
export type Books = Pick<Shop, "rows" | "ledger">;

/** Whether an order's books are looked at. */
export type Wanted = (orderId: string) => boolean;
const all: Wanted = () => true;

/**
 * What must be true of the shop once it is at rest, read from tables and the provider's ledger directly: orders and money agree,
 * stock adds up, every event was published and handled once.
 */
export async function expectBooksToBalance(shop: Shop): Promise<void> {
  await expectMoneyToAddUp(shop);
  await expectStockToAddUp(shop);
  await expectEventsToBeHandled(shop);
}

/** Of each order is captured and not refunded what its state says, in its currency; for none twice, for no unknown one. */
export async function expectMoneyToAddUp(shop: Books, isWanted = all): Promise<void> {
  const rows = await shop.rows<{ order_id: string; state: string; total: string; currency: string }>(
    "order",
    "SELECT order_id, state, total_minor_units AS total, currency_code AS currency FROM orders",
  );
  const orders = rows.filter(({ order_id }) => isWanted(order_id));
  const entries = (await shop.ledger()).filter(({ reference }) => isWanted(reference));
  for (const { order_id, state, total, currency } of orders) {
    const own = entries.filter(({ reference }) => reference === order_id);
    expect(
      own.filter((entry) => entry.currency !== currency),
      `${order_id}: in ${currency} only`,
    ).toEqual([]);
    const sum = (type: string) =>
      own.filter((entry) => entry.type === type).reduce((sofar, { amount }) => sofar + amount, 0);
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

/** What is held and what is sold is what orders of such a state have reserved. */
export async function expectStockToAddUp(shop: Books): Promise<void> {
  const impossible = await shop.rows<Row>("inventory", "SELECT * FROM stock WHERE held < 0 OR on_hand < held");
  expect(impossible).toEqual([]);
  const held = await shop.rows<Row>(
    "inventory",
    `SELECT s.sku, s.held, COALESCE(SUM(l.quantity), 0) AS promised FROM stock s
     LEFT JOIN (reservation_lines l JOIN reservations r ON r.order_id = l.order_id AND r.state = 'HELD') ON l.sku = s.sku
     GROUP BY s.sku, s.held HAVING held <> promised`,
  );
  expect(held).toEqual([]);
  await expectReservationsToAgree(shop);
}

/** Stock is held for orders that may still be confirmed, and sold to those that were. */
export async function expectReservationsToAgree(shop: Books, isWanted = all): Promise<void> {
  const reservations = await shop.rows<{ order_id: string; state: string }>("inventory", "SELECT * FROM reservations");
  const orders = await shop.rows<{ order_id: string; state: string }>("order", "SELECT order_id, state FROM orders");
  const states = new Map(orders.map(({ order_id, state }) => [order_id, state]));
  for (const { order_id, state } of reservations.filter((reservation) => isWanted(reservation.order_id))) {
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
    {
      service: "inventory",
      types: ["shop.order.v1.OrderPlaced", "shop.order.v1.OrderConfirmed", "shop.order.v1.OrderCancelled"],
    },
    { service: "payment", types: ["shop.order.v1.OrderConfirmed", "shop.order.v1.OrderCancelled"] },
  ],
  payment: [{ service: "order", types: ["shop.payment.v1.PaymentCaptured", "shop.payment.v1.PaymentFailed"] }],
};

const owners = ["user", "catalog", "inventory", "order", "payment"];

/** Every event is published, and handled by all who want it: of those services that are there. */
export async function expectEventsToBeHandled(
  shop: Books,
  isThere: (service: string) => boolean = () => true,
  isWanted = all,
): Promise<void> {
  for (const owner of owners.filter(isThere)) {
    const unpublished = await shop.rows<Row>(owner, "SELECT event_id FROM weft_outbox WHERE published_at IS NULL");
    expect(unpublished, `${owner} has published all`).toEqual([]);
  }
  for (const [owner, handlers] of Object.entries(consumers).filter(([name]) => isThere(name))) {
    for (const { service, types } of handlers.filter((handler) => isThere(handler.service))) {
      const marks = types.map(() => "?").join(", ");
      const sql = `SELECT event_id, aggregate_id FROM weft_outbox WHERE type IN (${marks})`;
      const rows = await shop.rows<{ event_id: string; aggregate_id: string }>(owner, sql, [...types]);
      const published = rows.filter(({ aggregate_id }) => isWanted(aggregate_id));
      const handled = await shop.rows<{ event_id: string }>(service, "SELECT event_id FROM weft_inbox");
      const known = new Set(handled.map(({ event_id }) => event_id));
      expect(
        published.filter(({ event_id }) => !known.has(event_id)),
        `${service} has handled ${owner}'s`,
      ).toEqual([]);
    }
  }
}
