import type { LedgerEntry } from "../../dev/outside/ledger.ts";
import type { Operation } from "../client-log.ts";
import { consumers } from "./events.ts";
import type { Books, Opening, OrderEventFact, OutboxFact } from "./facts.ts";

/** Books that agree: an order that was paid for, one that was cancelled after its authorization, and what their clients have seen. */
export interface Made {
  readonly operations: readonly Operation[];
  readonly books: Books;
  readonly opening: Opening;
}

const lines = [
  { sku: "TEA", quantity: 2, price: 300 },
  { sku: "CUP", quantity: 1, price: 400 },
];

const moves = {
  ord_paid: ["OrderPlaced", "OrderReserved", "OrderConfirmed", "OrderPaid"],
  ord_gone: ["OrderPlaced", "OrderReserved", "OrderAwaitingPayment", "OrderCancelled"],
} as const;

const orderEvents: OrderEventFact[] = Object.entries(moves).flatMap(([orderId, types]) =>
  types.map((type, index) => {
    const event = { orderId, version: index + 1, type };
    return type === "OrderPlaced" || type === "OrderConfirmed"
      ? { ...event, total: 1_000, currency: "EUR", lines }
      : event;
  }),
);

const outbox: OutboxFact[] = orderEvents
  .filter(({ type }) => type !== "OrderReserved")
  .map(({ orderId, version, type }) => ({
    ...{ owner: "order", eventId: `${orderId}-${version}`, type: `shop.order.v1.${type}` },
    ...{ aggregateId: orderId, version, isPublished: true },
  }));

const moved = (reference: string, type: LedgerEntry["type"]): LedgerEntry => ({
  ...{ seq: 1, at: "2026-01-01T00:00:00.000Z", type, authorization_id: `auth_${reference}`, reference },
  ...{ amount: 1_000, currency: "EUR", idempotency_key: `${type}:${reference}` },
});

const order = (orderId: keyof typeof moves, userId: string, state: string) => ({
  ...{ orderId, userId, state, currency: "EUR", total: 1_000, version: 4, itemCount: 3, lines },
});

const placed = (id: string, userId: string, more: Partial<Operation>): Operation => ({
  ...{ id, kind: "placeOrder", key: `key-${id}`, userId, startedMs: 1, endedMs: 2, outcome: "ok" },
  ...more,
});

export function madeBooks(): Made {
  const orders = [order("ord_paid", "ada", "PAID"), order("ord_gone", "bob", "CANCELLED")];
  return {
    operations: [
      placed("1", "ada", { orderId: "ord_paid", state: "CONFIRMED" }),
      placed("2", "bob", { outcome: "unknown" }),
      placed("3", "eve", { outcome: "unknown" }),
      placed("5", "ada", { outcome: "refused", attempts: 1, code: "FailedPrecondition" }),
      { ...placed("4", "bob", { orderId: "ord_gone" }), kind: "cancelOrder" },
    ],
    books: {
      orders,
      orderEvents,
      history: orders,
      keys: [
        { userId: "ada", key: "key-1", orderId: "ord_paid" },
        { userId: "bob", key: "key-2", orderId: "ord_gone" },
      ],
      sagas: ["ord_paid", "ord_gone"],
      payments: [
        { orderId: "ord_paid", state: "CAPTURED" },
        { orderId: "ord_gone", state: "VOIDED" },
      ],
      ledger: [
        ...[moved("ord_paid", "authorize"), moved("ord_paid", "capture")],
        ...[moved("ord_gone", "authorize"), moved("ord_gone", "void")],
      ],
      stock: [
        { sku: "TEA", onHand: 10, held: 0 },
        { sku: "CUP", onHand: 4, held: 0 },
      ],
      reservations: [
        { orderId: "ord_paid", state: "COMMITTED", lines },
        { orderId: "ord_gone", state: "RELEASED", lines },
      ],
      received: new Map([["TEA", 5]]),
      outbox,
      inbox: new Map(
        Object.entries(consumers).map(([name, types]) => [
          name,
          new Set(outbox.filter(({ type }) => types.includes(type)).map(({ eventId }) => eventId)),
        ]),
      ),
      deadLetters: [{ consumer: "inventory", eventId: "poison", cause: "cannot be read" }],
      messages: [{ eventId: "ord_paid-3", userId: "ada", channel: "EMAIL", state: "SENT", sentMs: 5 }],
      mails: [
        { messageId: "<ord_paid-3@weft.local>", subject: "Your order ord_paid is confirmed" },
        { messageId: "<ord_paid-3@weft.local>", subject: "Your order ord_paid is confirmed" },
      ],
      mailsSinceMs: 0,
      pairs: [
        { sku: "TEA", other: "CUP", orders: 1 },
        { sku: "CUP", other: "TEA", orders: 1 },
      ],
    },
    opening: {
      stock: new Map([...Object.entries({ TEA: 9, CUP: 5 })]),
      received: new Map([["TEA", 2]]),
      orders: new Set(),
    },
  };
}
