import type { Fact, OrderLine, OrderSale } from "./domain.ts";

export interface FactRow {
  id: string;
  event_id: string;
  kind: string;
  aggregate_id: string;
  occurred_at: Date;
  currency_code: string | null;
  minor_units: string | null;
  order_lines: string | null;
}

export interface OrderRow {
  order_id: string;
  sold_on: string | null;
  order_lines: string | null;
  cancelled: number;
}

/** As a DATETIME(3) literal. */
export function dateTime(at: Date): string {
  return at.toISOString().slice(0, -1).replace("T", " ");
}

/** Places for `count` values, as many as `filled` makes of them. */
export function marks(count: number, one = "?"): string {
  return Array<string>(powerOfTwo(count)).fill(one).join(", ");
}

/** Filled up with the last value: a handful of statement texts for any number of values, which the server keeps prepared. */
export function filled<T>(values: readonly T[]): T[] {
  const last = values.at(-1);
  if (last === undefined) return [];
  return [...values, ...Array<T>(powerOfTwo(values.length) - values.length).fill(last)];
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

export function toFact(row: FactRow): Fact & { readonly id: bigint } {
  const { currency_code: currencyCode, minor_units: minorUnits } = row;
  return {
    id: BigInt(row.id),
    eventId: row.event_id,
    kind: row.kind,
    aggregateId: row.aggregate_id,
    occurredAt: row.occurred_at,
    amount: currencyCode === null || minorUnits === null ? undefined : { currencyCode, minorUnits: BigInt(minorUnits) },
    lines: row.order_lines === null ? undefined : toLines(row.order_lines),
  };
}

export function toOrder(row: OrderRow): OrderSale {
  return {
    orderId: row.order_id,
    soldOn: row.sold_on ?? undefined,
    lines: row.order_lines === null ? [] : toLines(row.order_lines),
    cancelled: row.cancelled === 1,
  };
}

function toLines(text: string): OrderLine[] {
  return JSON.parse(text) as OrderLine[];
}
