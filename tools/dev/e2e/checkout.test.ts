import { Code } from "@connectrpc/connect";
import { errorReason, systemClock } from "@weft/mesh/contract";
import { newId } from "@weft/mesh/data";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apply, type Order } from "../../../services/order/domain.ts";
import { createOrderStore, type OrderStore } from "../../../services/order/store.ts";
import { expectMoneyToAddUp, expectReservationsToAgree, expectStockToAddUp } from "./books.ts";
import { type Answer, type Customer, giveCommands } from "./checkout/commands.ts";
import { untilAtRest } from "./checkout/rest.ts";
import { currencies, type Scenario, scenarios } from "./checkout/scenario.ts";
import { type Checkout, type Product, startCheckout } from "./checkout/shop.ts";

let checkout: Checkout;
let store: OrderStore;
beforeAll(async () => {
  checkout = await startCheckout();
  const database = checkout.database("order");
  store = createOrderStore({ database, clock: systemClock, publish: async () => {}, onChange: () => {} });
});
afterAll(() => checkout?.[Symbol.asyncDispose]());

test("no sequence of commands leaves stock, ledger and states in disagreement", { timeout: 120_000 }, async () => {
  const seed = Math.trunc(Math.random() * 2 ** 31);
  const told = { seed, runs: 0, commands: 0, orders: {} as Record<string, number> };
  const property = fc.asyncProperty(scenarios, async (scenario) => {
    const { customer, products } = await open(scenario);
    const answers = await giveCommands(checkout, customer, scenario.rounds);
    // Of these orders alone: what an attempt before has left in disorder must not mislead the search for the shortest one.
    const orderIds = await untilAtRest(checkout, customer.userId);
    const isOurs = (orderId: string) => orderIds.has(orderId);
    const orders = await Promise.all([...orderIds].map(foldedOrder));
    await expectMoneyToAddUp(checkout, isOurs);
    await expectReservationsToAgree(checkout, isOurs);
    await expectStockToBeThere(products, orders);
    expectTotalsToBeExact(products, orders);
    await expectReadModelToAgree(customer);
    expectAnswersToHold(answers, orders, scenario);
    told.runs += 1;
    told.commands += scenario.rounds.flatMap(({ commands }) => commands).length;
    for (const { state } of orders) told.orders[state] = (told.orders[state] ?? 0) + 1;
  });
  await fc.assert(property, { seed, numRuns: 20, interruptAfterTimeLimit: 100_000 });
  await expectMoneyToAddUp(checkout);
  await expectStockToAddUp(checkout);
  console.info(`checkout: ${JSON.stringify(told)}`);
});

/** A customer of the scenario's own, and products that nobody else buys. */
async function open({ products: drawn, orders }: Scenario): Promise<{ customer: Customer; products: Product[] }> {
  await checkout.clearFaults();
  const userId = newId("usr", 7, { clock: systemClock, random: Math.random });
  const products = drawn.map((product, index) => ({
    ...product,
    sku: `${userId.slice(-8)}-${index}`,
    currencyCode: currencies[index] ?? "",
  }));
  await checkout.sell(products);
  return { customer: { userId, skus: products.map(({ sku }) => sku), orders }, products };
}

/** An order, which is the fold of its events. */
async function foldedOrder(orderId: string): Promise<Order> {
  const events = await store.events(orderId);
  const folded = events.reduce<Order | undefined>(
    (order, { event, occurredAt }) => apply(order, event, occurredAt),
    undefined,
  );
  const row = await store.get(orderId);
  expect(row).toEqual(folded);
  if (row === undefined) throw new Error(`there is no order ${orderId}`);
  return row;
}

/** What there was of a product is in the warehouse or went to orders that are paid; nothing is held. */
async function expectStockToBeThere(products: readonly Product[], orders: readonly Order[]): Promise<void> {
  const sold = orders.filter(({ state }) => state !== "CANCELLED").flatMap(({ lines }) => lines);
  const marks = products.map(() => "?").join(", ");
  const rows = await checkout.rows<{ sku: string; on_hand: string; held: string }>(
    "inventory",
    `SELECT sku, on_hand, held FROM stock WHERE sku IN (${marks})`,
    products.map(({ sku }) => sku),
  );
  const expected = products.map(({ sku, onHand }) => {
    const taken = sold.filter((line) => line.sku === sku).reduce((sum, { quantity }) => sum + quantity, 0);
    return { sku, on_hand: String(onHand - taken), held: "0" };
  });
  expect(rows.toSorted((a, b) => (a.sku < b.sku ? -1 : 1))).toEqual(expected);
}

/** Of one currency each, and what its products cost when it was placed. */
function expectTotalsToBeExact(products: readonly Product[], orders: readonly Order[]): void {
  for (const { orderId, lines, total } of orders) {
    const bought = lines.map(({ sku, quantity }) => ({ quantity, product: products.find((each) => each.sku === sku) }));
    const minorUnits = bought.reduce((sum, { quantity, product }) => {
      return sum + BigInt(quantity) * (product?.minorUnits ?? 0n);
    }, 0n);
    for (const { product } of bought) expect(product?.currencyCode, orderId).toBe(total.currencyCode);
    expect(total.minorUnits, orderId).toBe(minorUnits);
  }
}

async function expectReadModelToAgree({ userId }: Customer): Promise<void> {
  const differing = await checkout.rows(
    "order",
    `SELECT orders.order_id FROM orders LEFT JOIN order_history USING (user_id, order_id)
     WHERE user_id = ? AND (orders.version <> COALESCE(order_history.version, 0) OR orders.state <> order_history.state)`,
    [userId],
  );
  expect(differing).toEqual([]);
}

/** Which states an order may end in that was answered so. */
const ends: Partial<Record<Answer["command"]["kind"], readonly Order["state"][]>> = {
  cancel: ["CANCELLED"],
  ship: ["SHIPPED", "DELIVERED"],
  deliver: ["DELIVERED"],
};

/** What was answered was true, and is still. */
function expectAnswersToHold(answers: readonly Answer[], orders: readonly Order[], scenario: Scenario): void {
  const states = new Map(orders.map(({ orderId, state }) => [orderId, state]));
  for (const { command, orderId, state, error } of answers) {
    const what = `${command.kind} of ${orderId} answered ${error?.message ?? state}`;
    if (command.kind === "place") {
      const spec = scenario.orders[command.order];
      const mixed = new Set(spec?.lines.map(({ product }) => currencies[product])).size > 1;
      expect(error && errorReason(error), what).toBe(mixed ? "MIXED_CURRENCIES" : undefined);
    } else if (error !== undefined) expect(error.code, what).toBe(Code.FailedPrecondition);
    if (error === undefined) expect(ends[command.kind] ?? [...states.values()], what).toContain(states.get(orderId));
    if (state === "CANCELLED") expect(states.get(orderId), what).toBe("CANCELLED");
  }
}
