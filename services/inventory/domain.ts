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

/** HELD -> COMMITTED (sold) -> RELEASED (given back); or RELEASED at once. Never the other way. */
export type ReservationState = "HELD" | "COMMITTED" | "RELEASED";

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

/** The effect of moving a reservation on; undefined where there is nothing to do, since it is there or past it. */
export function effectOf(from: ReservationState, to: "COMMITTED" | "RELEASED"): StockEffect | undefined {
  if (from === "HELD") return to === "COMMITTED" ? { onHand: -1, held: -1 } : { onHand: 0, held: -1 };
  if (from === "COMMITTED" && to === "RELEASED") return { onHand: 1, held: 0 };
  return undefined;
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
  if (state === "RELEASED") {
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
const SHORTAGES_NAMED_MAX = 20;

/** What a reservation is answered with for which there is not enough: each short SKU, and the lines that ask for it. */
export function outOfStock(lines: readonly StockLine[], shortages: readonly Shortage[]): ConnectError {
  const named = shortages.slice(0, SHORTAGES_NAMED_MAX);
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
