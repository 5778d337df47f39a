import { expect, test } from "vitest";
import { checkAll } from "./check-all.ts";
import type { Books, OrderFact } from "./facts.ts";
import { type Made, madeBooks } from "./testing.ts";

const check = ({ books, operations, opening }: Made) => checkAll(books, operations, opening);

test("books that agree give no finding: a mail twice under one id, poison among the dead letters, an order that never was", () => {
  expect(check(madeBooks())).toEqual([]);
});

test("a mail that the catcher has had to forget is not missed", () => {
  const made = madeBooks();
  expect(check({ ...made, books: { ...made.books, mails: [], mailsSinceMs: 6 } })).toEqual([]);
});

/** The books with something else in them. */
const withBooks = (change: (books: Books) => Partial<Books>) => (made: Made) => ({
  ...made,
  books: { ...made.books, ...change(made.books) },
});
const withOrder = (orderId: string, change: Partial<OrderFact>) =>
  withBooks(({ orders }) => ({
    orders: orders.map((order) => (order.orderId === orderId ? { ...order, ...change } : order)),
  }));
const withOperation = (id: string, change: object) => (made: Made) => ({
  ...made,
  operations: made.operations.map((operation) => (operation.id === id ? { ...operation, ...change } : operation)),
});
const without = <T extends { readonly orderId: string }>(all: readonly T[], orderId: string) =>
  all.filter((each) => each.orderId !== orderId);

type Case = [what: string, change: (made: Made) => Made, found: string];

const cases: Case[] = [
  [
    "an acknowledged order that is not there",
    withOperation("1", { orderId: "ord_lost" }),
    "acknowledged orders exist: lost ord_lost",
  ],
  [
    "an order that was answered to somebody else",
    withOrder("ord_paid", { userId: "mallory" }),
    "acknowledged orders exist: wrong ord_paid",
  ],
  [
    "an answer with a state that the order never had",
    withOperation("1", { state: "AWAITING_PAYMENT" }),
    "acknowledged orders exist: wrong ord_paid",
  ],
  [
    "a cancellation that was acknowledged and forgotten",
    withOperation("4", { orderId: "ord_paid" }),
    "acknowledged cancellations hold: lost ord_paid",
  ],
  [
    "an order that is stuck",
    withOrder("ord_gone", { state: "AWAITING_PAYMENT" }),
    "orders come to an end: unresolved ord_gone",
  ],
  [
    "two answers to one key",
    withOperation("2", { userId: "ada", key: "key-1", orderId: "ord_gone" }),
    "one order for each key: duplicated ada key-1",
  ],
  ["more orders than keys", withOrder("ord_gone", { userId: "ada" }), "one order for each key: duplicated ada"],
  [
    "an order that was refused",
    withOperation("2", { outcome: "refused", code: "FailedPrecondition" }),
    "refused is absent: wrong ord_gone",
  ],
  [
    "a key without its order",
    withBooks(({ keys }) => ({ keys: [...keys, { userId: "eve", key: "key-3", orderId: "ord_half" }] })),
    "unknown is all or nothing: wrong ord_half",
  ],
  [
    "an order without its saga",
    withBooks(() => ({ sagas: ["ord_paid"] })),
    "unknown is all or nothing: wrong ord_gone",
  ],
  [
    "an order without its key",
    withBooks(({ keys }) => ({ keys: without(keys, "ord_gone") })),
    "unknown is all or nothing: wrong ord_gone",
  ],
  [
    "a paid order of which nothing was captured",
    withBooks(({ ledger }) => ({ ledger: ledger.filter(({ type }) => type !== "capture") })),
    "ledger agrees with orders: lost ord_paid",
  ],
  [
    "a cancelled order whose authorization stays",
    withBooks(({ ledger }) => ({ ledger: ledger.filter(({ type }) => type !== "void") })),
    "ledger agrees with orders: wrong ord_gone",
  ],
  [
    "a cancelled order whose money was kept",
    withBooks(({ ledger }) => ({
      ledger: ledger.map((entry) => (entry.type === "void" ? { ...entry, type: "capture" as const } : entry)),
    })),
    "ledger agrees with orders: wrong ord_gone",
  ],
  [
    "another currency",
    withBooks(({ ledger }) => ({ ledger: ledger.map((entry) => ({ ...entry, currency: "USD" })) })),
    "ledger agrees with orders: wrong ord_paid",
  ],
  [
    "a second authorization",
    withBooks(({ ledger }) => ({ ledger: [...ledger, ...ledger.slice(0, 1)] })),
    "no order is charged twice: duplicated ord_paid",
  ],
  [
    "a charge for no order",
    withBooks(({ orders }) => ({ orders: without(orders, "ord_gone") })),
    "no orphan charge: wrong ord_gone",
  ],
  [
    "a payment that does not know that it was captured",
    withBooks(({ payments }) => ({ payments: payments.map((payment) => ({ ...payment, state: "PENDING" })) })),
    "payments agree with the ledger: unresolved ord_paid",
  ],
  [
    "a charge that payment knows nothing of",
    withBooks(({ payments }) => ({ payments: without(payments, "ord_paid") })),
    "payments agree with the ledger: lost ord_paid",
  ],
  [
    "a unit that is gone",
    withBooks(({ stock }) => ({ stock: stock.map((row) => ({ ...row, onHand: row.onHand - 1 })) })),
    "stock adds up: lost TEA",
  ],
  [
    "a unit that was sold twice",
    withBooks(({ stock }) => ({ stock: stock.map((row) => ({ ...row, onHand: row.onHand + 1 })) })),
    "stock adds up: duplicated CUP",
  ],
  [
    "stock that is held for nobody",
    withBooks(({ stock }) => ({ stock: stock.map((row) => ({ ...row, held: 1 })) })),
    "stock adds up: wrong TEA",
  ],
  [
    "more held than there is",
    withBooks(({ stock }) => ({ stock: stock.map((row) => ({ ...row, held: row.onHand + 1 })) })),
    "stock is never negative: wrong TEA",
  ],
  [
    "a cancelled order that keeps its stock",
    withBooks(({ reservations }) => ({ reservations: reservations.map((each) => ({ ...each, state: "COMMITTED" })) })),
    "reservations agree with orders: wrong ord_gone",
  ],
  [
    "stock that is held for no order",
    withBooks(({ reservations }) => ({
      reservations: [...reservations, { orderId: "ord_none", state: "HELD", lines: [] }],
    })),
    "reservations agree with orders: wrong ord_none",
  ],
  [
    "a paid order that has taken no stock",
    withBooks(({ reservations }) => ({ reservations: without(reservations, "ord_paid") })),
    "reservations agree with orders: lost ord_paid",
  ],
  [
    "other lines reserved than ordered",
    withBooks(({ reservations }) => ({
      reservations: reservations.map((each) => ({ ...each, lines: [{ sku: "TEA", quantity: 1 }] })),
    })),
    "reservations agree with orders: wrong ord_paid",
  ],
  [
    "a row that its events do not make",
    withOrder("ord_paid", { version: 5 }),
    "orders are the fold of their events: wrong ord_paid",
  ],
  [
    "an order without events",
    withBooks(({ orderEvents }) => ({ orderEvents: without(orderEvents, "ord_paid") })),
    "orders are the fold of their events: wrong ord_paid",
  ],
  [
    "an order that the read model does not have",
    withBooks(({ history }) => ({ history: without(history, "ord_gone") })),
    "order history is the fold of events: lost ord_gone",
  ],
  [
    "a read model that is behind",
    withBooks(({ history }) => ({ history: history.map((each) => ({ ...each, state: "CONFIRMED" })) })),
    "order history is the fold of events: wrong ord_paid",
  ],
  [
    "a gap in the versions",
    withBooks(({ orderEvents }) => ({ orderEvents: orderEvents.filter(({ type }) => type !== "OrderReserved") })),
    "versions are without gap: wrong ord_paid",
  ],
  [
    "a move that the state table does not know",
    withBooks(({ orderEvents }) => ({
      orderEvents: orderEvents.map((each) =>
        each.type === "OrderConfirmed" ? { ...each, type: "OrderShipped" } : each,
      ),
    })),
    "orders move as the state table says: wrong ord_paid",
  ],
  [
    "an event that happened and was not told",
    withBooks(({ outbox }) => ({ outbox: outbox.slice(1) })),
    "outbox agrees with order events: lost ord_paid 1 OrderPlaced",
  ],
  [
    "an event that was told and did not happen",
    withBooks(({ outbox }) => ({ outbox: outbox.map((each) => ({ ...each, version: each.version + 4 })) })),
    "outbox agrees with order events: wrong ord_paid 5 OrderPlaced",
  ],
  [
    "an event that is told twice",
    withBooks(({ outbox }) => ({ outbox: [...outbox, ...outbox.slice(0, 1)] })),
    "outbox agrees with order events: duplicated ord_paid 1 OrderPlaced",
  ],
  [
    "an event that was never published",
    withBooks(({ outbox }) => ({ outbox: outbox.map((each) => ({ ...each, isPublished: false })) })),
    "events are published: unresolved ord_paid-1",
  ],
  [
    "an event that a consumer has not handled",
    withBooks(({ inbox }) => ({ inbox: new Map([...inbox, ["payment", new Set<string>()]]) })),
    "events are handled by all who consume them: lost ord_paid-3",
  ],
  [
    "an event that a consumer has given up",
    withBooks(() => ({ deadLetters: [{ consumer: "payment", eventId: "ord_paid-3", cause: "too slow" }] })),
    "no event is given up: unresolved ord_paid-3",
  ],
  [
    "a customer whom nobody wants to tell",
    withBooks(() => ({ messages: [] })),
    "one confirmation for each confirmed order: lost ord_paid",
  ],
  [
    "a confirmation that has not arrived",
    withBooks(() => ({ mails: [] })),
    "one confirmation for each confirmed order: lost ord_paid",
  ],
  [
    "two confirmations",
    withBooks(({ mails }) => ({
      mails: [...mails, { ...mails[0], messageId: "<other@weft.local>" } as (typeof mails)[0]],
    })),
    "one confirmation for each confirmed order: duplicated ord_paid",
  ],
  [
    "a confirmation of what never was confirmed",
    withBooks(({ mails }) => ({
      mails: [...mails, { messageId: "<ord_gone-9@weft.local>", subject: "Your order ord_gone is confirmed" }],
    })),
    "one confirmation for each confirmed order: wrong ord_gone",
  ],
  [
    "a pair that was counted twice",
    withBooks(({ pairs }) => ({ pairs: pairs.map((pair) => ({ ...pair, orders: 2 })) })),
    "pairs are those of confirmed orders: duplicated TEA CUP",
  ],
];

test.each(cases)("%s is found", (_, change, found) => {
  const findings = check(change(madeBooks())).map(({ invariant, kind, subject }) => `${invariant}: ${kind} ${subject}`);
  expect(findings).toContain(found);
});
