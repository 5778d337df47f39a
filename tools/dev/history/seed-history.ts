import type { Clock } from "@weft/mesh/contract";
import { bucketOf, type Database, newId } from "@weft/mesh/data";
import { seedFacts } from "../../../services/analytics/seed.ts";
import { seedReservations } from "../../../services/inventory/seed.ts";
import { seedContacts } from "../../../services/notification/seed.ts";
import { hasOrders, seedOrders } from "../../../services/order/seed.ts";
import { seedPayments } from "../../../services/payment/seed.ts";
import { seedCounts } from "../../../services/recommendation/seed.ts";
import { seedCustomers } from "../../../services/user/seed.ts";
import { createAccountStore } from "../../../services/user/store.ts";
import type { LedgerRecord } from "../outside/ledger.ts";
import type { SeedProduct } from "../seed-data.ts";
import { FIRST_CUSTOMER_DAYS, REGULAR } from "./customers.ts";
import { recordPast } from "./past-ledger.ts";
import { type History, planHistory } from "./plan.ts";

/** The schemas that a history is written into, and the sandbox provider. */
export interface HistoryPlaces {
  readonly user: Database;
  readonly notification: Database;
  readonly inventory: Database;
  readonly payment: Database;
  readonly order: Database;
  readonly analytics: Database;
  readonly recommendation: Database;
  readonly provider: { readonly url: string; readonly key: string };
}

export interface HistoryOptions {
  readonly products: readonly SeedProduct[];
  /** Of the password that all customers of the history have. */
  readonly passwordHash: () => Promise<string>;
  /** Resolves when each product has its stock. */
  readonly stocked: Promise<unknown>;
  readonly clock: Clock;
}

const DAY_MS = 86_400_000;
/** The provider takes requests of up to 64 KiB. */
const LEDGER_REQUEST_LENGTH_MAX = 60_000;

/**
 * Gives a shop without orders the thirty days behind it; one that has orders keeps its own. What was begun and not finished is
 * finished: customers are written first and orders last, and the first customer tells when the history ends. Answers with what it did.
 */
export async function seedHistory(places: HistoryPlaces, options: HistoryOptions): Promise<"written" | "nothing"> {
  const untilMs = await findEnd(places, options.clock);
  if (untilMs === undefined) return "nothing";
  const history = planHistory(options.products, untilMs);
  const passwordHash = await options.passwordHash();
  await seedCustomers(
    places.user,
    history.customers.map((customer) => ({ ...customer, passwordHash })),
  );
  await allOf([
    seedContacts(places.notification, history.customers),
    seedPayments(
      places.payment,
      history.orders.map(({ payment }) => payment),
    ),
    options.stocked.then(() =>
      seedReservations(
        places.inventory,
        history.orders.map(({ order: { orderId }, reservation }) => ({ orderId, ...reservation })),
      ),
    ),
    seedFacts(places.analytics, factsOf(history)),
    seedCounts(places.recommendation, countsOf(history)),
    recordPast(history.orders.flatMap(({ requests }) => requests)).then((records) =>
      fillLedger(places.provider, records),
    ),
  ]);
  await seedOrders(places.order, history.orders);
  return "written";
}

/** When one fails the others are waited for, so that nothing is written behind one's back. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failure = (await Promise.allSettled(work)).find(({ status }) => status === "rejected");
  if (failure?.status === "rejected") throw failure.reason;
}

/** When the history is to end, in epoch ms; undefined if there is none to be written. */
async function findEnd({ user, order }: HistoryPlaces, clock: Clock): Promise<number | undefined> {
  const first = await createAccountStore(user).findByEmail(REGULAR.email);
  if (first === undefined) return (await hasOrders(order)) ? undefined : clock.now();
  const untilMs = first.registeredAt.getTime() + FIRST_CUSTOMER_DAYS * DAY_MS;
  // Somebody else has taken the address.
  if (untilMs > clock.now()) return undefined;
  const { userId } = first;
  const source = { clock: { now: () => untilMs, monotonic: () => 0 }, random: () => 0 };
  const isDone = await hasOrders(order, { userId, below: newId("ord", bucketOf(userId), source) });
  return isDone ? undefined : untilMs;
}

function factsOf({ orders, facts }: History) {
  const all = [...facts, ...orders.flatMap((past) => past.facts)];
  return all.sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
}

function countsOf({ orders, facts }: History) {
  const wasConfirmed = ({ order }: History["orders"][number]) =>
    order.history.some(({ state }) => state === "CONFIRMED");
  return {
    orders: orders.filter(wasConfirmed).map(({ order }) => order.lines.map(({ sku }) => sku)),
    views: facts.filter(({ kind }) => kind === "ProductViewed").map(({ aggregateId }) => aggregateId),
  };
}

async function fillLedger({ url, key }: HistoryPlaces["provider"], records: readonly LedgerRecord[]): Promise<void> {
  for (const body of requestsOf(records)) {
    const response = await fetch(`${url}/v1/ledger`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body,
    });
    if (!response.ok) throw new Error(`the payment provider did not take its past: ${await response.text()}`);
  }
}

function* requestsOf(records: readonly LedgerRecord[]): Generator<string> {
  let some: string[] = [];
  let length = 0;
  for (const record of records) {
    const text = JSON.stringify(record);
    if (length + text.length > LEDGER_REQUEST_LENGTH_MAX) {
      yield `{"records":[${some.join(",")}]}`;
      some = [];
      length = 0;
    }
    some.push(text);
    length += text.length + 1;
  }
  if (some.length > 0) yield `{"records":[${some.join(",")}]}`;
}
