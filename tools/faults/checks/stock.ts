import type { Line, Opening, ReservationFact, StockBooks } from "./facts.ts";
import type { Finding } from "./finding.ts";

const soldStates: readonly string[] = ["CONFIRMED", "PAID", "SHIPPED", "DELIVERED"];
const openStates: readonly string[] = ["RESERVED", "AWAITING_PAYMENT"];

/** Per SKU: what was there and came in is on sale, held or sold. To be asked at rest. */
export function checkStock(books: StockBooks, opening: Pick<Opening, "stock" | "received">): Finding[] {
  const sold = quantities(books.orders.filter(({ state }) => soldStates.includes(state)));
  return books.stock.flatMap(({ sku: subject, onHand, held }): Finding[] => {
    const received = (books.received.get(subject) ?? 0) - (opening.received.get(subject) ?? 0);
    const initial = (opening.stock.get(subject) ?? 0) + received;
    const accounted = onHand + (sold.get(subject) ?? 0);
    if (initial === accounted) return [];
    const there = `${onHand - held} on sale, ${held} held, ${sold.get(subject) ?? 0} sold`;
    const detail = `${initial} at first and received; ${there}`;
    return [{ invariant: "stock adds up", kind: accounted > initial ? "duplicated" : "lost", subject, detail }];
  });
}

/** Per SKU: nothing is below zero, and what is held is held by reservations. */
export function checkHeld({ stock, reservations }: Pick<StockBooks, "stock" | "reservations">): Finding[] {
  const promised = quantities(reservations.filter(({ state }) => state === "HELD"));
  return stock.flatMap(({ sku: subject, onHand, held }): Finding[] => {
    const detail = `${onHand} on hand, ${held} held, ${promised.get(subject) ?? 0} of it by reservations`;
    if (held < 0 || onHand < held) return [{ invariant: "stock is never negative", kind: "wrong", subject, detail }];
    return held === (promised.get(subject) ?? 0)
      ? []
      : [{ invariant: "stock adds up", kind: "wrong", subject, detail }];
  });
}

/** What the opening is to remember: what is there, and what was sold before. */
export function openingStock({ stock, orders }: Pick<StockBooks, "stock" | "orders">): Map<string, number> {
  const sold = quantities(orders.filter(({ state }) => soldStates.includes(state)));
  return new Map(stock.map(({ sku, onHand }) => [sku, onHand + (sold.get(sku) ?? 0)]));
}

/** Stock is held for orders that may still be confirmed and sold to those that were, each its own lines; for no other. */
export function checkReservations({ orders, reservations }: Pick<StockBooks, "orders" | "reservations">): Finding[] {
  const invariant = "reservations agree with orders";
  const byId = new Map(orders.map((order) => [order.orderId, order]));
  const findings = reservations.flatMap((reservation): Finding[] => {
    const { orderId: subject, state } = reservation;
    const order = byId.get(subject);
    if (state !== "HELD" && state !== "COMMITTED") return [];
    if (order === undefined) return [{ invariant, kind: "wrong", subject, detail: `is ${state} for no order` }];
    const allowed = state === "HELD" ? openStates : soldStates;
    if (!allowed.includes(order.state)) {
      return [{ invariant, kind: "wrong", subject, detail: `is ${order.state}, its stock is ${state}` }];
    }
    return sameLines(reservation, order)
      ? []
      : [{ invariant, kind: "wrong", subject, detail: "has reserved other lines" }];
  });
  const committed = new Set(reservations.filter(({ state }) => state === "COMMITTED").map(({ orderId }) => orderId));
  for (const { orderId: subject, state } of orders) {
    if (!soldStates.includes(state) || committed.has(subject)) continue;
    findings.push({ invariant, kind: "lost", subject, detail: `is ${state}, and has taken no stock` });
  }
  return findings;
}

function sameLines(reservation: ReservationFact, order: { readonly lines: readonly Line[] }): boolean {
  const text = (lines: readonly Line[]) => JSON.stringify([...quantities([{ lines }])].sort());
  return text(reservation.lines) === text(order.lines);
}

function quantities(all: readonly { readonly lines: readonly Line[] }[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of all.flatMap(({ lines }) => lines)) sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  return sums;
}
