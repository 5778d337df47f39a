import type { Clock } from "@weft/mesh/contract";
import type { Database, Queryable, Transaction } from "@weft/mesh/data";
import {
  assertSameReservation,
  effectOf,
  hasBecomeLow,
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
  /** Adds a reservation without lines, held since then or not held; false, and nothing done, if the order has one. */
  addReservation(tx: Transaction, orderId: string, state: ReservationState, heldAt?: Date): Promise<boolean>;
  addLines(tx: Transaction, orderId: string, lines: readonly StockLine[]): Promise<void>;
  setState(tx: Transaction, orderId: string, state: ReservationState): Promise<void>;
  /** Holds so much of a SKU if it is available; says whether it was. */
  hold(tx: Transaction, line: StockLine): Promise<boolean>;
  /** Applies the effect to each unit of the line. */
  apply(tx: Transaction, line: StockLine, effect: StockEffect): Promise<void>;
  /** Remembers that the order exists. */
  addKnownOrder(tx: Transaction, orderId: string): Promise<void>;
  /** Orders, not known to exist, that have held stock since before then: those that have longest. */
  findForgotten(heldBefore: Date, limit: number): Promise<string[]>;
  /** Locks the reservation until the transaction ends; false if it is not held since before then, or locked by somebody else. */
  tryLockHeld(tx: Transaction, orderId: string, heldBefore: Date): Promise<boolean>;
}

/** What the rest of the shop hears of. */
export interface StockEvents {
  stockReserved(tx: Transaction, orderId: string, lines: readonly StockLine[]): Promise<void>;
  stockReleased(tx: Transaction, orderId: string, lines: readonly StockLine[], state: ReservationState): Promise<void>;
  stockLow(tx: Transaction, sku: string, available: bigint): Promise<void>;
}

export interface InventoryDeps {
  clock: Clock;
  database: Pick<Database, "transaction">;
  stock: StockStore;
  events: StockEvents;
  /** So much of a product, or less, is little. */
  lowStockThreshold: number;
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
  deps: InventoryDeps,
  { orderId, lines }: { orderId: string; lines: readonly StockLine[] },
): Promise<void> {
  const { clock, database, stock, events } = deps;
  const totals = totalBySku(lines);
  const isNew = await database.transaction("inventory.reserveStock", async (tx) => {
    // First, and without a look before: the unique key makes a second attempt wait here until the first has ended.
    if (!(await stock.addReservation(tx, orderId, "HELD", new Date(clock.now())))) return false;
    await holdAll(tx, deps, totals, lines);
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
  const { state, lines } = reservation;
  const isReleased = await moveOn(tx, stock, reservation, "RELEASED");
  // Of what expired was told then.
  if (isReleased && state !== "EXPIRED") await events.stockReleased(tx, orderId, lines, "RELEASED");
}

/**
 * Takes what a confirmed order holds out of the warehouse, as a part of the caller's transaction. Nothing to do if that is done, or
 * if the order's cancellation was faster. NOT_FOUND if the order has no reservation: its confirmation came too early.
 *
 * A reservation that has expired is held anew first. FAILED_PRECONDITION (OUT_OF_STOCK) if its stock is sold: the order is confirmed, so somebody
 * must hear of it, and the event is delivered again until there is stock or it ends among the dead letters.
 */
export async function commitReservationIn(
  tx: Transaction,
  deps: Pick<InventoryDeps, "stock" | "events" | "lowStockThreshold">,
  orderId: string,
): Promise<void> {
  const reservation = await deps.stock.lockReservation(tx, orderId);
  if (reservation === undefined) throw reservationNotFound(orderId);
  const { state, lines } = reservation;
  if (state === "EXPIRED") await holdAll(tx, deps, lines, lines);
  await moveOn(tx, deps.stock, state === "EXPIRED" ? { ...reservation, state: "HELD" } : reservation, "COMMITTED");
}

/**
 * Puts stock on sale again that has been held since before `ttlMs` ago for orders that nobody has told of; answers for how many. At most `limit`
 * orders, each in a transaction of its own; those that another instance has in hand are left to it.
 *
 * Order commits OrderPlaced before it reserves, so an order that inventory has heard of exists, may still be confirmed whatever its age, and
 * confirms or releases by itself: its stock is never touched here. What is left are reservations without an order.
 */
export async function expireReservations(
  { clock, database, stock, events }: Omit<InventoryDeps, "lowStockThreshold">,
  { ttlMs, limit }: { ttlMs: number; limit: number },
): Promise<number> {
  const heldBefore = new Date(clock.now() - ttlMs);
  let expired = 0;
  for (const orderId of await stock.findForgotten(heldBefore, limit)) {
    const isExpired = await database.transaction("inventory.expireReservation", async (tx) => {
      if (!(await stock.tryLockHeld(tx, orderId, heldBefore))) return false;
      const reservation = await stock.lockReservation(tx, orderId);
      if (reservation === undefined || !(await moveOn(tx, stock, reservation, "EXPIRED"))) return false;
      await events.stockReleased(tx, orderId, reservation.lines, "EXPIRED");
      return true;
    });
    if (isExpired) expired++;
  }
  return expired;
}

/** Holds all lines, one for each SKU and by SKU. FAILED_PRECONDITION (OUT_OF_STOCK) in terms of the lines asked for if there is not enough. */
async function holdAll(
  tx: Transaction,
  { stock, events, lowStockThreshold }: Pick<InventoryDeps, "stock" | "events" | "lowStockThreshold">,
  totals: readonly StockLine[],
  asked: readonly StockLine[],
): Promise<void> {
  const refused: StockLine[] = [];
  for (const line of totals) if (!(await stock.hold(tx, line))) refused.push(line);
  if (refused.length > 0) throw outOfStock(asked, await shortagesOf(stock, tx, refused));
  // Exact, since the rows are locked: of several who take the last ones, one has crossed the threshold.
  const levels = await stock.findLevels(
    totals.map(({ sku }) => sku),
    tx,
  );
  const available = new Map(levels.map(({ sku, onHand, held }) => [sku, onHand - held]));
  for (const { sku, quantity } of totals) {
    const left = available.get(sku) ?? 0n;
    if (hasBecomeLow(left, quantity, lowStockThreshold)) await events.stockLow(tx, sku, left);
  }
}

async function moveOn(
  tx: Transaction,
  stock: StockStore,
  { orderId, state, lines }: Reservation,
  to: "COMMITTED" | "RELEASED" | "EXPIRED",
): Promise<boolean> {
  const effect = effectOf(state, to);
  if (effect === undefined) return false;
  if (effect.onHand !== 0 || effect.held !== 0) for (const line of lines) await stock.apply(tx, line, effect);
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
