import { newUlid } from "@weft/mesh/data";
import type { Fact } from "../../../services/analytics/domain.ts";
import type { SeedProduct } from "../seed-data.ts";
import { createDraw, integerFrom, type Random, seededRandom, zipfWeights } from "./chance.ts";
import { createCustomers, type PastCustomer } from "./customers.ts";
import { createDemand, type Demand, looksOf, type Wish } from "./demand.ts";
import { beginLife, type PastOrder } from "./life.ts";
import { momentsOfBusiness } from "./rhythm.ts";
import {
  captureRefused,
  declined,
  notPaidInTime,
  outOfStock,
  paidLate,
  regretted,
  type Story,
  sold,
} from "./stories.ts";

/** What a shop looks back on. */
export interface History {
  readonly customers: readonly PastCustomer[];
  /** By the time of their placing. */
  readonly orders: readonly PastOrder[];
  /** What was told of visitors, carts and new customers. */
  readonly facts: readonly Fact[];
}

export const HISTORY_DAYS = 30;
const CUSTOMERS = 400;
const ORDERS = 2_600;
const VISITS = 4_000;
const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
/** The last order is so old that nothing of it is still under way. */
const QUIET_MS = 10 * MINUTE_MS;
/** The evening on which the payment provider was away. */
const OUTAGE = { daysAgo: 12, startMs: 18 * 60 * MINUTE_MS, lengthMs: 150 * MINUTE_MS };
/** So long may an order wait for its payment and still be paid. */
const PAYABLE_MS = 28 * MINUTE_MS;
const SHARES = { soldOut: 0.012, declined: 0.025, captureRefused: 0.004, regretted: 0.035 };
const ABANDONED_SHARE = 0.15;

/** Thirty days up to a moment. The same moment and assortment give the same history, to the last character. */
export function planHistory(products: readonly SeedProduct[], untilMs: number): History {
  const fromMs = untilMs - HISTORY_DAYS * DAY_MS;
  const customers = createCustomers(CUSTOMERS, { fromMs, untilMs }, seededRandom(1));
  const demand = createDemand(products, seededRandom(2));
  const random = seededRandom(3);
  const range = { fromMs, untilMs: untilMs - QUIET_MS };
  const chooseCustomer = createChoice(customers);
  const orders: PastOrder[] = [];
  const facts = customers.filter(({ registeredAt }) => registeredAt.getTime() >= fromMs).map(registered(random));
  for (const placedAtMs of momentsOfBusiness(ORDERS, range, random)) {
    const customer = chooseCustomer(placedAtMs, random);
    const { cart, story, paymentMethod } = intend(demand, placedAtMs, untilMs, random);
    if (cart.length === 0) continue;
    const order = live(story, { customer, cart, paymentMethod, placedAtMs }, untilMs, random);
    if (order.reservation.state === "RELEASED" && order.reservation.lines.length > 0) demand.putBack(cart);
    orders.push(order);
    facts.push(...shopping(customer, cart, placedAtMs, random));
  }
  for (const atMs of momentsOfBusiness(VISITS, range, random)) facts.push(...visit(demand, atMs, random));
  return { customers, orders, facts };
}

function live(story: Story, placing: Parameters<typeof beginLife>[0], untilMs: number, random: Random): PastOrder {
  const life = beginLife(placing, random);
  for (const restsUntilMs of story(life, random)) {
    if (restsUntilMs > untilMs - MINUTE_MS) break;
    life.passUntil(restsUntilMs);
  }
  return life.end();
}

/** Somebody who was a customer by then; a few buy often. */
function createChoice(customers: readonly PastCustomer[]): (atMs: number, random: Random) => PastCustomer {
  const draw = createDraw(zipfWeights(customers.length, { flatness: 12, exponent: 0.7 }));
  return (atMs, random) => {
    for (;;) {
      const customer = customers[draw(random)];
      if (customer !== undefined && customer.registeredAt.getTime() < atMs) return customer;
    }
  };
}

interface Intention {
  readonly cart: readonly Wish[];
  readonly story: Story;
  readonly paymentMethod: string;
}

function intend(demand: Demand, atMs: number, untilMs: number, random: Random): Intention {
  const away = outageUntil(untilMs);
  if (atMs >= away - OUTAGE.lengthMs && atMs < away) {
    const isPaid = away - atMs < PAYABLE_MS && random() < 0.75;
    const story = isPaid ? paidLate(away) : notPaidInTime;
    return { cart: demand.fillCart(random), story, paymentMethod: "tok_visa" };
  }
  let fate = random();
  const is = (share: number) => {
    fate -= share;
    return fate < 0;
  };
  if (is(SHARES.soldOut)) {
    const product = demand.soldOut(random);
    const story = outOfStock(`${product.sku} (wanted 1, available 0)`);
    return { cart: [{ product, quantity: 1 }], story, paymentMethod: "tok_visa" };
  }
  const cart = demand.fillCart(random);
  if (is(SHARES.declined)) return { cart, story: declined, paymentMethod: "tok_declined" };
  if (is(SHARES.captureRefused)) return { cart, story: captureRefused, paymentMethod: "tok_capture_fails" };
  return { cart, story: is(SHARES.regretted) ? regretted : sold, paymentMethod: "tok_visa" };
}

function outageUntil(untilMs: number): number {
  return Math.floor(untilMs / DAY_MS - OUTAGE.daysAgo) * DAY_MS + OUTAGE.startMs + OUTAGE.lengthMs;
}

function registered(random: Random): (customer: PastCustomer) => Fact {
  return ({ userId, registeredAt }) => fact("UserRegistered", userId, registeredAt.getTime(), random);
}

/** What comes before an order: looking, perhaps twice, and filling the cart. */
function shopping({ userId }: PastCustomer, cart: readonly Wish[], placedAtMs: number, random: Random): Fact[] {
  return cart.flatMap(({ product: { sku } }) => {
    const filledMs = placedAtMs - integerFrom(random, 1, 12) * MINUTE_MS;
    const looks = Array.from({ length: random() < 0.4 ? 2 : 1 }, () =>
      fact("ProductViewed", sku, filledMs - integerFrom(random, 5, 600) * 1_000, random),
    );
    return [...looks, fact("CartUpdated", `user:${userId}`, filledMs, random)];
  });
}

/** Somebody who comes by, looks around and buys nothing, though some had meant to. */
function visit(demand: Demand, atMs: number, random: Random): Fact[] {
  const looks = Array.from({ length: looksOf(random) }, (_, index) =>
    fact("ProductViewed", demand.look(random).sku, atMs + index * 40_000, random),
  );
  if (random() >= ABANDONED_SHARE) return looks;
  return [...looks, fact("CartUpdated", `visitor:${integerFrom(random, 1e8, 9e8)}`, atMs + 200_000, random)];
}

function fact(kind: string, aggregateId: string, atMs: number, random: Random): Fact {
  const eventId = newUlid({ clock: { now: () => atMs, monotonic: () => 0 }, random });
  return { eventId, kind, aggregateId, occurredAt: new Date(atMs) };
}
