import type { Database, Queryable, Transaction } from "@weft/mesh/data";
import {
  assertSameReservation,
  effectOf,
  outOfStock,
  type Reservation,
  type ReservationState,
  reservationNotFound,
  type Shortage,
  type StockEffect,
  type StockLevel,
  type StockLine,
  totalBySku,
} from "./domain.ts";

/** Stock and reservations as they are stored. */
export interface StockStore {
  /** Levels of those of the SKUs that exist, in no particular order; from inside a transaction if one is given. */
  findLevels(skus: readonly string[], within?: Queryable): Promise<StockLevel[]>;
  findReservation(orderId: string): Promise<Reservation | undefined>;
  /** The same, locked until the transaction ends. */
  lockReservation(tx: Transaction, orderId: string): Promise<Reservation | undefined>;
  /** Adds a reservation without lines; false, and nothing done, if the order has one. */
  addReservation(tx: Transaction, orderId: string, state: ReservationState): Promise<boolean>;
  addLines(tx: Transaction, orderId: string, lines: readonly StockLine[]): Promise<void>;
  setState(tx: Transaction, orderId: string, state: ReservationState): Promise<void>;
  /** Holds so much of a SKU if it is available; says whether it was. */
  hold(tx: Transaction, line: StockLine): Promise<boolean>;
  /** Applies the effect to each unit of the line. */
  apply(tx: Transaction, line: StockLine, effect: StockEffect): Promise<void>;
}

/** What the rest of the shop hears of. */
export interface StockEvents {
  stockReserved(tx: Transaction, orderId: string, lines: readonly StockLine[]): Promise<void>;
  stockReleased(tx: Transaction, orderId: string, lines: readonly StockLine[]): Promise<void>;
}

export interface InventoryDeps {
  database: Pick<Database, "transaction">;
  stock: StockStore;
  events: StockEvents;
}

/** Stock of each SKU, in the order asked for. An unknown SKU has none. */
export async function batchGetStock(
  { stock }: Pick<InventoryDeps, "stock">,
  skus: readonly string[],
): Promise<StockLevel[]> {
  const levels = new Map((await stock.findLevels(skus)).map((level) => [level.sku, level]));
  return skus.map((sku) => levels.get(sku) ?? { sku, onHand: 0n, held: 0n });
}

/**
 * Holds stock for an order: all lines or none. The same order and lines again are answered as before.
 * FAILED_PRECONDITION if there is not enough (OUT_OF_STOCK), or the order has released (RESERVATION_RELEASED) or reserved other
 * lines (RESERVATION_DIFFERS).
 */
export async function reserveStock(
  { database, stock, events }: InventoryDeps,
  { orderId, lines }: { orderId: string; lines: readonly StockLine[] },
): Promise<void> {
  const totals = totalBySku(lines);
  const isNew = await database.transaction("inventory.reserveStock", async (tx) => {
    // First, and without a look before: the unique key makes a second attempt wait here until the first has ended.
    if (!(await stock.addReservation(tx, orderId, "HELD"))) return false;
    const refused: StockLine[] = [];
    for (const line of totals) if (!(await stock.hold(tx, line))) refused.push(line);
    if (refused.length > 0) throw outOfStock(lines, await shortagesOf(stock, tx, refused));
    await stock.addLines(tx, orderId, totals);
    await events.stockReserved(tx, orderId, totals);
    return true;
  });
  if (isNew) return;
  const existing = await stock.findReservation(orderId);
  if (existing === undefined) throw reservationNotFound(orderId);
  assertSameReservation(existing, totals);
}

/**
 * Gives back what an order has taken, be it held or sold already. An order that has taken nothing is remembered as released, so
 * that a reservation that comes late is refused.
 */
export async function releaseStock({ database, ...deps }: InventoryDeps, orderId: string): Promise<void> {
  await database.transaction("inventory.releaseStock", (tx) => releaseStockIn(tx, deps, orderId));
}

/** releaseStock() as a part of the caller's transaction. */
export async function releaseStockIn(
  tx: Transaction,
  { stock, events }: Pick<InventoryDeps, "stock" | "events">,
  orderId: string,
): Promise<void> {
  let reservation = await stock.lockReservation(tx, orderId);
  if (reservation === undefined) {
    if (await stock.addReservation(tx, orderId, "RELEASED")) return;
    // It has come between the two.
    reservation = await stock.lockReservation(tx, orderId);
    if (reservation === undefined) throw reservationNotFound(orderId);
  }
  if (await moveOn(tx, stock, reservation, "RELEASED")) await events.stockReleased(tx, orderId, reservation.lines);
}

/**
 * Takes what a confirmed order holds out of the warehouse, as a part of the caller's transaction. Nothing to do if that is done, or
 * if the order's cancellation was faster. NOT_FOUND if the order has no reservation: its confirmation came too early.
 */
export async function commitReservationIn(
  tx: Transaction,
  { stock }: Pick<InventoryDeps, "stock">,
  orderId: string,
): Promise<void> {
  const reservation = await stock.lockReservation(tx, orderId);
  if (reservation === undefined) throw reservationNotFound(orderId);
  await moveOn(tx, stock, reservation, "COMMITTED");
}

async function moveOn(
  tx: Transaction,
  stock: StockStore,
  { orderId, state, lines }: Reservation,
  to: "COMMITTED" | "RELEASED",
): Promise<boolean> {
  const effect = effectOf(state, to);
  if (effect === undefined) return false;
  for (const line of lines) await stock.apply(tx, line, effect);
  await stock.setState(tx, orderId, to);
  return true;
}

async function shortagesOf(stock: StockStore, tx: Transaction, refused: readonly StockLine[]): Promise<Shortage[]> {
  const skus = refused.map(({ sku }) => sku);
  const levels = new Map((await stock.findLevels(skus, tx)).map((level) => [level.sku, level]));
  return refused.map(({ sku, quantity }) => {
    const { onHand, held } = levels.get(sku) ?? { onHand: 0n, held: 0n };
    return { sku, wanted: quantity, available: onHand - held };
  });
}
