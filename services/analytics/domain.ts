import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** An exact amount: an integer number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** A day in UTC, ISO 8601: "2026-11-22". As text, days sort as they follow each other. */
export type Day = string;

export type OrderLine = readonly [sku: string, quantity: number];

/** What is kept of an event. */
export interface Fact {
  readonly eventId: string;
  /** The message's name without its package: "OrderConfirmed". */
  readonly kind: string;
  readonly aggregateId: string;
  readonly occurredAt: Date;
  /** Of payments. */
  readonly amount?: Money | undefined;
  /** Of confirmed orders. */
  readonly lines?: readonly OrderLine[] | undefined;
}

/** What is known of an order as far as sales go. */
export interface OrderSale {
  readonly orderId: string;
  /** When it was confirmed. */
  readonly soldOn?: Day | undefined;
  /** What it counts with at the moment. */
  readonly lines: readonly OrderLine[];
  readonly cancelled: boolean;
}

/** Sold less cancelled; below zero in a sum of changes. */
export interface Sales {
  readonly day: Day;
  readonly sku: string;
  readonly quantity: number;
}

export interface RevenueMinute {
  /** The minute's first moment. */
  readonly minute: Date;
  readonly currencyCode: string;
  readonly captured: bigint;
  readonly refunded: bigint;
}

/** A product's place among the best-selling: more first, and by SKU (byte by byte) among equals. */
export interface Score {
  readonly sku: string;
  readonly quantity: number;
}

/** What facts add to the sums. Each key occurs once. */
export interface RollUp {
  readonly funnel: readonly { readonly day: Day; readonly kind: string; readonly events: number }[];
  readonly revenue: readonly RevenueMinute[];
  /** Orders as they are known afterwards. */
  readonly orders: readonly OrderSale[];
  readonly sales: readonly Sales[];
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The day that a moment (epoch ms) belongs to. */
export function dayOf(atMs: number): Day {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** The first of the last `days` days, today included. */
export function firstDayOf(nowMs: number, days: number): Day {
  return dayOf(nowMs - (days - 1) * dayMs);
}

/** What a request with this field is answered with. */
export function invalid(field: string, description: string): ConnectError {
  return rpcError(Code.InvalidArgument, `${field} ${description}`, { violations: [{ field, description }] });
}

/** The fact as it is. @throws Error if the sums could not take it: better one dead letter than a roll-up that stands still */
export function checkedFact(fact: Fact): Fact {
  for (const [sku, quantity] of fact.lines ?? []) {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(sku) || quantity < 1) throw new Error(`no order line: ${quantity} of "${sku}"`);
  }
  if (fact.kind.startsWith("Payment") && !/^[A-Z]{3}$/.test(fact.amount?.currencyCode ?? "")) {
    throw new Error(`${fact.kind} without an amount`);
  }
  return fact;
}

/** The order of an order's events does not matter, nor how they are spread over roll-ups: the sums come out the same. */
export function rollUp(facts: readonly Fact[], known: readonly OrderSale[]): RollUp {
  const funnel = new Map<string, { day: Day; kind: string; events: number }>();
  const revenue = new Map<string, { minute: Date; currencyCode: string; captured: bigint; refunded: bigint }>();
  const before = new Map(known.map((order) => [order.orderId, order]));
  const after = new Map<string, OrderSale>();
  const sales = new Map<string, { day: Day; sku: string; quantity: number }>();

  for (const fact of facts) {
    const { kind, amount, aggregateId: orderId } = fact;
    const day = dayOf(fact.occurredAt.getTime());
    at(funnel, `${day} ${kind}`, () => ({ day, kind, events: 0 })).events += 1;
    if (amount !== undefined && (kind === "PaymentCaptured" || kind === "PaymentRefunded")) {
      const { currencyCode, minorUnits } = amount;
      const minute = new Date(Math.floor(fact.occurredAt.getTime() / minuteMs) * minuteMs);
      const nothing = () => ({ minute, currencyCode, captured: 0n, refunded: 0n });
      const sum = at(revenue, `${currencyCode} ${minute.getTime()}`, nothing);
      sum[kind === "PaymentCaptured" ? "captured" : "refunded"] += minorUnits;
    }
    if (kind === "OrderConfirmed" || kind === "OrderCancelled") {
      const order = after.get(orderId) ?? before.get(orderId) ?? { orderId, lines: [], cancelled: false };
      const changed = kind === "OrderConfirmed" ? confirmed(order, day, fact.lines ?? []) : cancelled(order);
      after.set(orderId, changed);
      for (const { day, sku, quantity } of [...countsOf(order, -1), ...countsOf(changed, 1)]) {
        at(sales, `${day} ${sku}`, () => ({ day, sku, quantity: 0 })).quantity += quantity;
      }
    }
  }
  return {
    funnel: [...funnel.values()],
    revenue: [...revenue.values()],
    orders: [...after.values()],
    sales: [...sales.values()].filter(({ quantity }) => quantity !== 0),
  };
}

function confirmed(order: OrderSale, day: Day, lines: readonly OrderLine[]): OrderSale {
  if (order.soldOn !== undefined) return order;
  return { ...order, soldOn: day, lines: order.cancelled ? [] : lines };
}

function cancelled(order: OrderSale): OrderSale {
  return { ...order, cancelled: true, lines: [] };
}

function countsOf({ soldOn, lines }: OrderSale, sign: 1 | -1): Sales[] {
  if (soldOn === undefined) return [];
  return lines.map(([sku, quantity]) => ({ day: soldOn, sku, quantity: sign * quantity }));
}

/** The map's value at key, made if there is none. */
function at<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
