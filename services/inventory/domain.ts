import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** A quantity, above 0, of one SKU. */
export interface StockLine {
  sku: string;
  quantity: number;
}

/** Stock of one SKU. Always 0 <= held <= onHand. */
export interface StockLevel {
  sku: string;
  /** In the warehouse, held or not. */
  onHand: bigint;
  /** Promised to orders that are not yet confirmed. */
  held: bigint;
}

/**
 * HELD -> COMMITTED (sold) -> RELEASED (given back); or RELEASED at once. HELD -> EXPIRED where nobody has told of the order; if it turns out to
 * exist after all, it goes on from there to COMMITTED or RELEASED.
 */
export type ReservationState = "HELD" | "COMMITTED" | "RELEASED" | "EXPIRED";

/** What one order has taken: one line for each SKU, by SKU. None if it was released before it reserved. */
export interface Reservation {
  orderId: string;
  state: ReservationState;
  lines: StockLine[];
}

/** What becomes of each unit of a reservation on its way from one state to another. */
export interface StockEffect {
  onHand: -1 | 0 | 1;
  held: -1 | 0;
}

const effects: { readonly [From in ReservationState]: { readonly [To in ReservationState]?: StockEffect } } = {
  HELD: { COMMITTED: { onHand: -1, held: -1 }, RELEASED: { onHand: 0, held: -1 }, EXPIRED: { onHand: 0, held: -1 } },
  COMMITTED: { RELEASED: { onHand: 1, held: 0 } },
  // Its stock is on sale: to be sold it must be held anew first.
  EXPIRED: { RELEASED: { onHand: 0, held: 0 } },
  RELEASED: {},
};

/** The effect of moving a reservation on; undefined where there is nothing to do, since it is there or past it. */
export function effectOf(from: ReservationState, to: "COMMITTED" | "RELEASED" | "EXPIRED"): StockEffect | undefined {
  return effects[from][to];
}

/** Whether taking so many away, down to what is available now, has made little of enough. */
export function hasBecomeLow(availableNow: bigint, taken: number, threshold: number): boolean {
  return availableNow <= threshold && availableNow + BigInt(taken) > threshold;
}

/** One line for each SKU, its quantities added up. By SKU, so that all take their row locks in one order. */
export function totalBySku(lines: readonly StockLine[]): StockLine[] {
  const totals = new Map<string, number>();
  for (const { sku, quantity } of lines) totals.set(sku, (totals.get(sku) ?? 0) + quantity);
  return [...totals].map(([sku, quantity]) => ({ sku, quantity })).sort((a, b) => (a.sku < b.sku ? -1 : 1));
}

/** Answers a reservation that exists already: silence if it is the same, else why it cannot be. */
export function assertSameReservation(existing: Reservation, totals: readonly StockLine[]): void {
  const { orderId, state } = existing;
  if (state === "RELEASED" || state === "EXPIRED") {
    throw rpcError(Code.FailedPrecondition, `order ${orderId} has given its stock back and cannot reserve again`, {
      reason: "RESERVATION_RELEASED",
      metadata: { order_id: orderId },
    });
  }
  const text = (lines: readonly StockLine[]) => JSON.stringify(lines.map(({ sku, quantity }) => [sku, quantity]));
  if (text(totalBySku(existing.lines)) !== text(totals)) {
    throw rpcError(Code.FailedPrecondition, `order ${orderId} has reserved other lines than these`, {
      reason: "RESERVATION_DIFFERS",
      metadata: { order_id: orderId },
    });
  }
}

/** An SKU of which more was wanted than is to be had. */
export interface Shortage {
  sku: string;
  wanted: number;
  available: bigint;
}

/** Shortages named in one error: its details travel in HTTP/2 trailers, which peers bound. */
const shortagesNamedMax = 20;

/** What a reservation is answered with for which there is not enough: each short SKU, and the lines that ask for it. */
export function outOfStock(lines: readonly StockLine[], shortages: readonly Shortage[]): ConnectError {
  const named = shortages.slice(0, shortagesNamedMax);
  const describe = ({ wanted, available }: Shortage) => `wanted ${wanted}, available ${available}`;
  const texts = named.map((shortage) => `${shortage.sku} (${describe(shortage)})`);
  const more = shortages.length > named.length ? ` and ${shortages.length - named.length} more` : "";
  return rpcError(Code.FailedPrecondition, `not enough stock of ${texts.join(", ")}${more}`, {
    reason: "OUT_OF_STOCK",
    metadata: Object.fromEntries(named.map((shortage) => [shortage.sku, describe(shortage)])),
    violations: named.map((shortage) => ({
      field: `lines[${lines.findIndex(({ sku }) => sku === shortage.sku)}].sku`,
      description: describe(shortage),
    })),
  });
}

/** A confirmed order whose reservation is not known (yet): its event is to be delivered again. */
export function reservationNotFound(orderId: string): ConnectError {
  return rpcError(Code.NotFound, `order ${orderId} has reserved nothing`, {
    reason: "RESERVATION_NOT_FOUND",
    metadata: { order_id: orderId },
  });
}

/** Lines of an import by number, both ends included. */
export interface LineRange {
  first: number;
  last: number;
}

/** A line of an import that is not in stock. */
export interface Rejection {
  line: number;
  sku: string;
  reason: string;
}

/** Far above what a delivery has, and far below where numbers lose precision. */
const importLineMax = 1_000_000_000;
/** Of one line: more is a slip of the pen. */
const importQuantityMax = 1_000_000n;

/** The lines of a batch. INVALID_ARGUMENT naming first_line if they are numbered too high. */
export function lineRange(firstLine: bigint, count: number): LineRange {
  const last = firstLine + BigInt(count) - 1n;
  if (last > importLineMax) throw badImport("first_line", `leads to lines above ${importLineMax}`);
  return { first: Number(firstLine), last: Number(last) };
}

export function isWithin({ first, last }: LineRange, line: number): boolean {
  return first <= line && line <= last;
}

/** What of a range none of the others covers, in pieces. */
export function uncovered(range: LineRange, others: readonly LineRange[]): LineRange[] {
  const pieces: LineRange[] = [];
  let next = range.first;
  for (const { first, last } of [...others].sort((a, b) => a.first - b.first)) {
    if (first > next) pieces.push({ first: next, last: Math.min(first - 1, range.last) });
    next = Math.max(next, last + 1);
  }
  if (next <= range.last) pieces.push({ first: next, last: range.last });
  return pieces;
}

/** Why a line cannot be taken, whatever the stock; undefined if it can. */
export function badImportLine({ sku, quantity }: { sku: string; quantity: bigint }): string | undefined {
  if (sku === "") return "no SKU";
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(sku)) return "malformed SKU";
  if (quantity <= 0n) return `quantity ${quantity} is not above 0`;
  if (quantity > importQuantityMax) return `quantity ${quantity} is above ${importQuantityMax}`;
  return undefined;
}

/** The answer to a stream of which one message names another import than the first. */
export function importIdDiffers(): ConnectError {
  return badImport("import_id", "must be the same in every message");
}

/** The answer to a stream without a message. */
export function importIsEmpty(): ConnectError {
  return badImport("import_id", "is missing: no message came");
}

function badImport(field: string, description: string): ConnectError {
  return rpcError(Code.InvalidArgument, `${field} ${description}`, {
    reason: "INVALID_FIELD",
    violations: [{ field, description }],
  });
}
