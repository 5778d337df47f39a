import { bucketOf, newId, newUlid } from "@weft/mesh/data";
import type { Fact } from "../../../services/analytics/domain.ts";
import { effectOf, type ReservationState, type StockLine, totalBySku } from "../../../services/inventory/domain.ts";
import { apply, decide, type Finding, type Order } from "../../../services/order/domain.ts";
import type { StoredEvent } from "../../../services/order/event-rows.ts";
import { priceOrder } from "../../../services/order/pricing.ts";
import type { Payment } from "../../../services/payment/domain.ts";
import { integerFrom, type Random } from "./chance.ts";
import type { PastCustomer } from "./customers.ts";
import type { Wish } from "./demand.ts";
import { createPastMoney, type PastMoney } from "./money.ts";
import type { ProviderRequest } from "./past-ledger.ts";

/** An order as it has come to be: what each service has to know of it. */
export interface PastOrder {
  readonly order: Order;
  readonly events: readonly StoredEvent[];
  readonly paymentMethod: string;
  readonly payment: Payment;
  /** Without lines if there was nothing to reserve. */
  readonly reservation: { readonly state: ReservationState; readonly lines: StockLine[] };
  /** What the payment provider was asked, in order. */
  readonly requests: readonly ProviderRequest[];
  /** What the shop has told of it. */
  readonly facts: readonly Fact[];
}

/** One order's life as it goes on: the services' own rules decide what each step makes of it. */
export interface Life {
  now(): number;
  /** Lets so many milliseconds go by, give or take. */
  pass(aboutMs: number): void;
  /** Lets time go by until a moment. */
  passUntil(atMs: number): void;
  find(finding: Finding): void;
  /** Inventory is asked, or hears that the order is confirmed, or cancelled. */
  readonly stock: { reserve(): void; commit(): void; release(): void };
  readonly money: Omit<PastMoney, "end">;
  end(): PastOrder;
}

export interface Placing {
  readonly customer: PastCustomer;
  readonly cart: readonly Wish[];
  readonly paymentMethod: string;
  readonly placedAtMs: number;
}

type Tell = (kind: string, more?: Partial<Fact>) => void;

/** Places an order. */
export function beginLife(placing: Placing, random: Random): Life {
  const { customer, cart, paymentMethod } = placing;
  let nowMs = placing.placedAtMs;
  const clock = { now: () => nowMs, monotonic: () => nowMs };
  const now = () => new Date(nowMs);
  const orderId = newId("ord", bucketOf(customer.userId), { clock, random });
  const facts: Fact[] = [];
  const tell: Tell = (kind, more = {}) => {
    facts.push({ eventId: newUlid({ clock, random }), kind, aggregateId: orderId, occurredAt: now(), ...more });
  };
  const pass = (aboutMs: number): void => {
    nowMs += Math.max(1, Math.round(aboutMs * (0.6 + 0.8 * random())));
  };
  const events: StoredEvent[] = [];
  const happen = (before: Order | undefined, event: StoredEvent["event"]): Order => {
    events.push({ event, occurredAt: now() });
    tellOfEvent(tell, event);
    return apply(before, event, now());
  };
  let order = happen(undefined, placed(orderId, customer, cart));
  const stock = createPastStock(order, tell);
  const reference = `auth_${Array.from({ length: 32 }, () => integerFrom(random, 0, 15).toString(16)).join("")}`;
  const amount = order.total;
  const tellOfMoney = (payment: Payment) => tellOfPayment(tell, payment);
  const money = createPastMoney({ orderId, amount, paymentMethod, reference, now, pass, tell: tellOfMoney });
  return {
    now: () => nowMs,
    pass,
    passUntil: (atMs) => {
      nowMs = Math.max(nowMs, Math.floor(atMs));
    },
    find: (finding) => {
      order = happen(order, decide(order, finding));
    },
    stock,
    money,
    end: () => ({ order, events, paymentMethod, ...money.end(), reservation: stock.end(), facts }),
  };
}

function placed(orderId: string, { userId }: PastCustomer, cart: readonly Wish[]) {
  const products = new Map(
    cart.map(({ product: { sku, name, minorUnits } }) => [
      sku,
      { sku, name, price: { currencyCode: "EUR", minorUnits } },
    ]),
  );
  const lines = cart.map(({ product: { sku }, quantity }) => ({ sku, quantity }));
  return priceOrder({ orderId, userId, lines }, products);
}

function createPastStock({ orderId, lines }: Order, tell: Tell) {
  let reservation: PastOrder["reservation"] | undefined;
  const known = (): PastOrder["reservation"] => {
    if (reservation === undefined) throw new Error(`inventory has never heard of ${orderId}`);
    return reservation;
  };
  const move = (to: "COMMITTED" | "RELEASED"): void => {
    if (effectOf(known().state, to) === undefined) throw new Error(`${orderId}: from ${known().state} no way to ${to}`);
    reservation = { ...known(), state: to };
  };
  return {
    reserve() {
      reservation = { state: "HELD", lines: totalBySku(lines) };
      tell("StockReserved");
    },
    commit: () => move("COMMITTED"),
    release() {
      if (reservation === undefined) {
        reservation = { state: "RELEASED", lines: [] };
        return;
      }
      move("RELEASED");
      tell("StockReleased");
    },
    end: known,
  };
}

/** As order's createPublish(): that stock is reserved inventory tells. */
function tellOfEvent(tell: Tell, event: StoredEvent["event"]): void {
  const kind = event.$typeName.slice("shop.order.v1.".length);
  const isConfirmed = event.$typeName === "shop.order.v1.OrderConfirmed";
  const more = isConfirmed ? { lines: event.lines.map(({ sku, quantity }) => [sku, quantity] as const) } : {};
  if (kind !== "OrderReserved") tell(kind, more);
}

/** As payment's createPublish(). */
function tellOfPayment(tell: Tell, { state, amount }: Payment): void {
  if (state === "AUTHORIZED") tell("PaymentAuthorized");
  if (state === "CAPTURED") tell("PaymentCaptured", { amount });
  if (state === "REFUNDED") tell("PaymentRefunded", { amount });
  if (state === "DECLINED" || state === "FAILED") tell("PaymentFailed");
}
