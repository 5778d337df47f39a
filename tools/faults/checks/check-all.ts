import type { Operation } from "../client-log.ts";
import { checkDeadLetters, checkEvents } from "./events.ts";
import type { Books, Opening } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { checkFolds, checkOrderOutbox } from "./folds.ts";
import { checkConfirmations } from "./mails.ts";
import { checkMoney, checkPayments } from "./money.ts";
import { checkAcknowledged, checkFinal, checkKeys, checkRefused, checkWhole } from "./orders.ts";
import { checkPairs } from "./pairs.ts";
import { checkHeld, checkReservations, checkStock } from "./stock.ts";

/** Everything that must be true of a shop at rest, of what its clients have seen and what stands in its books. */
export function checkAll(books: Books, operations: readonly Operation[], opening: Opening): Finding[] {
  return [
    ...checkAcknowledged(operations, books),
    ...checkFinal(books),
    ...checkKeys(operations, books),
    ...checkWhole(operations, books, opening),
    ...checkRefused(operations, books),
    ...checkMoney(books),
    ...checkPayments(books),
    ...checkStock(books, opening),
    ...checkHeld(books),
    ...checkReservations(books),
    ...checkFolds(books),
    ...checkOrderOutbox(books, books.outbox, (orderId) => !opening.orders.has(orderId)),
    ...checkEvents(books),
    ...checkDeadLetters(books),
    ...checkConfirmations(books, books.outbox, opening),
    ...checkPairs(books, books.pairs),
  ];
}
