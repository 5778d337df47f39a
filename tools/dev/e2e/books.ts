import { expect } from "vitest";
import { checkEvents } from "../../faults/checks/events.ts";
import { checkFolds } from "../../faults/checks/folds.ts";
import { checkMoney } from "../../faults/checks/money.ts";
import { checkHeld, checkReservations } from "../../faults/checks/stock.ts";
import { readEventBooks, readMoneyBooks, readOrderBooks, readStockBooks } from "../../faults/read-books.ts";
import type { Rows, Truth } from "../../faults/truth.ts";

/** What the books are read from. */
export type Books = Rows & Pick<Truth, "ledger">;

/** Whether an order's books are looked at. */
export type Wanted = (orderId: string) => boolean;
const all: Wanted = () => true;

/**
 * What must be true of the shop once it is at rest, read from tables and the provider's ledger directly: orders and money agree,
 * stock adds up, orders are what their events make them, every event was published and handled once.
 */
export async function expectBooksToBalance(shop: Books): Promise<void> {
  await expectMoneyToAddUp(shop);
  await expectStockToAddUp(shop);
  expect(checkFolds(await readOrderBooks(shop))).toEqual([]);
  await expectEventsToBeHandled(shop);
}

/** Of each order is captured and not refunded what its state says, in its currency; for none twice, for no unknown one. */
export async function expectMoneyToAddUp(shop: Books, isWanted = all): Promise<void> {
  const { orders, ledger } = await readMoneyBooks(shop);
  const wanted = {
    orders: orders.filter(({ orderId }) => isWanted(orderId)),
    ledger: ledger.filter(({ reference }) => isWanted(reference)),
  };
  expect(checkMoney(wanted)).toEqual([]);
}

/** What is held and what is sold is what orders of such a state have reserved. */
export async function expectStockToAddUp(shop: Books): Promise<void> {
  const books = await readStockBooks(shop);
  expect([...checkHeld(books), ...checkReservations(books)]).toEqual([]);
}

/** Stock is held for orders that may still be confirmed, and sold to those that were. */
export async function expectReservationsToAgree(shop: Books, isWanted = all): Promise<void> {
  const { orders, reservations } = await readStockBooks(shop);
  const wanted = {
    orders: orders.filter(({ orderId }) => isWanted(orderId)),
    reservations: reservations.filter(({ orderId }) => isWanted(orderId)),
  };
  expect(checkReservations(wanted)).toEqual([]);
}

/** Every event is published, and handled by all who want it: of those services that are there. */
export async function expectEventsToBeHandled(
  shop: Books,
  isThere: (service: string) => boolean = () => true,
  isWanted = all,
): Promise<void> {
  const { outbox, inbox, deadLetters } = await readEventBooks(shop, [], isThere);
  const wanted = outbox.filter(({ isPublished, aggregateId }) => !isPublished || isWanted(aggregateId));
  expect(checkEvents({ outbox: wanted, inbox, deadLetters }, isThere)).toEqual([]);
}
